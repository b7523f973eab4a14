"""Which file an error of the operating system is about."""
from __future__ import annotations

import errno
import os
from pathlib import Path

from .frames import chain, frames

#: Names of local variables that hold the file being read or written.
_NAMES = ('partial', 'filepath', 'file_path', 'filename', 'path', 'target', 'out', 'save_path',
          'name', 'log_file', 'save_dir', 'folder', 'root', 'dir', 'f', 'file', 'opened_zipfile')
#: Errors of the standard library and Pillow about what a file holds.
_CONTENT_ERRORS = ('JSONDecodeError', 'UnicodeDecodeError', 'UnpicklingError', 'BadZipFile',
                   'UnidentifiedImageError', 'BadGzipFile', 'ReadError', 'EOFError')
_REMEDIES = {
    errno.ENOSPC: 'free some space, or write to another disk',
    errno.EDQUOT: 'free some of your quota, or write to another disk',
    errno.EFBIG: 'raise the limit of file sizes, or write to another disk',
    errno.EROFS: 'write to another disk',
    errno.EACCES: 'change its permissions, or give another path',
    errno.EPERM: 'change its permissions, or give another path',
    errno.ENOENT: 'check the path',
    errno.EISDIR: 'give a file',
    errno.ENOTDIR: 'check the path',
    errno.ENAMETOOLONG: 'give a shorter path',
    errno.EMFILE: 'raise the limit of open files (ulimit -n), or use fewer workers',
}


def system_error(error: BaseException) -> OSError | None:
    """Return the error of the operating system that an exception is, or came from."""
    if isinstance(error, OSError):
        return error
    # torch raises errors of its own on top of a full disk's.
    return next((each for each in chain(error) if isinstance(each, OSError) and each.errno in (
        errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EROFS, errno.EIO)), None)


def describe_content(error: BaseException) -> str:
    """Return the file and the reason if a file's content is not of its kind, or nothing."""
    # What CPython raises before 3.13.
    if type(error) is RuntimeError and str(error).startswith('Symlink loop'):
        return f'{error}; remove the link'
    if type(error).__name__ not in _CONTENT_ERRORS:
        return ''
    name = file_of(error)
    return f'{name or "a file"} cannot be read: {error or type(error).__name__}; replace it'


def describe_system_error(fault: OSError, whole: BaseException) -> str:
    """Return file name, reason and remedy.

    Args:
        fault: The error of the operating system.
        whole: The exception whose traceback may know the file.
    """
    if fault.errno is None or fault.strerror is None:
        return str(fault) or type(fault).__name__
    name = fault.filename if fault.filename is not None else file_of(whole)
    shown = os.fsdecode(name) if isinstance(name, (str, bytes, os.PathLike)) else ''
    other = f' -> {fault.filename2}' if fault.filename2 is not None else ''
    remedy = _REMEDIES.get(fault.errno)
    return (f'{shown}{other}{": " if shown or other else ""}{fault.strerror}'
            + (f'; {remedy}' if remedy else ''))


def file_of(error: BaseException) -> str | None:
    """Return the path that the innermost function of a traceback was working on, if any."""
    for frame in reversed(frames(error)):
        for name in _NAMES:
            value = frame.f_locals.get(name)
            value = getattr(value, 'name', value) if not isinstance(value, Path) else value
            if isinstance(value, Path) or (isinstance(value, str) and os.sep in value):
                return str(value)
    return None
