"""The one writer of files, whole or not at all; and JSON files."""
from .errors import FileError
from .json_file import read_json, read_json_list, write_json
from .write import (
    put_in_place,
    remove_abandoned,
    unfinished,
    write_bytes,
    write_error,
    write_text,
    write_whole,
)

__all__ = ['FileError', 'put_in_place', 'read_json', 'read_json_list', 'remove_abandoned',
           'unfinished', 'write_bytes', 'write_error', 'write_json', 'write_text', 'write_whole']
