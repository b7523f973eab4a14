"""Writes files that are either whole or not there, whenever the process or the machine stops."""
from __future__ import annotations

import errno
import os
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, BinaryIO

from .errors import FileError

_PARTIAL = re.compile(r'\..+\.(\d+)\.partial')
_FIXES = {
    errno.ENOSPC: 'free some space',
    errno.EDQUOT: 'free some space, or ask for a larger quota',
    errno.EFBIG: 'the file system or a limit of the process forbids files of this size',
    errno.EROFS: 'choose a folder on a disk that can be written to',
    errno.EACCES: 'choose a folder that you may write to',
}


def write_whole(path: str | Path, write: Callable[[BinaryIO], Any], *,
                error: type[FileError] = FileError) -> None:
    """Write a file so that its path names either the old content or all of the new one.

    The content goes to ``.NAME.PID.partial`` beside it, is flushed to the disk and
    renamed. So a process that is killed, a full disk and a power failure leave the
    old file as it was. What a process that is gone left half written is removed.

    Args:
        path: The file. Its folder is made if needed.
        write: Called with the open file; writes the content.
        error: Class of the error.

    Raises:
        FileError: The file cannot be written; the old one still stands.
    """
    path = Path(path)
    with _telling(path, error):
        # Through a link, as writing in place would.
        path = path.resolve() if path.is_symlink() else path
        if path.exists() and not path.is_file():
            with path.open('wb') as device:  # Such as /dev/stdout; to replace it would destroy it.
                write(device)
            return
        with unfinished(path, error=error) as partial:
            with partial.open('wb') as file:
                write(file)
                file.flush()
                os.fsync(file.fileno())
            put_in_place(partial, path)


@contextmanager
def unfinished(path: Path, *, error: type[FileError] = FileError) -> Iterator[Path]:
    """Give a hidden path beside `path` to write to, and remove what is left there at the end.

    Raises:
        FileError: Something inside cannot be written.
    """
    partial = path.with_name(f'.{path.name}.{os.getpid()}.partial')
    with _telling(path, error):
        path.parent.mkdir(parents=True, exist_ok=True)
        remove_abandoned(path.parent, path.name)
        try:
            yield partial
        finally:
            with suppress(OSError):
                partial.unlink(missing_ok=True)


def put_in_place(partial: Path, path: Path) -> None:
    """Give a flushed file its final name, for good: over an old file, and through a power failure.

    Raises:
        OSError: It cannot be renamed; the old file still stands.
    """
    os.replace(partial, path)
    # Where the file system can; the file itself is whole in any case.
    with suppress(OSError):
        folder = os.open(path.parent, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)


def write_bytes(content: bytes, path: str | Path, *, error: type[FileError] = FileError) -> None:
    """Write bytes by :func:`write_whole`."""
    write_whole(path, lambda file: file.write(content), error=error)


def write_text(content: str, path: str | Path, encoding: str = 'utf-8', *,
               error: type[FileError] = FileError) -> None:
    """Write text by :func:`write_whole`."""
    write_bytes(content.encode(encoding), path, error=error)


def remove_abandoned(folder: Path, name: str | None = None) -> None:
    """Remove what dead processes left half written in a folder, of one file or of all."""
    pattern = '.*.partial' if name is None else f'.{_literal(name)}.*.partial'
    for path in folder.glob(pattern):
        match = _PARTIAL.fullmatch(path.name)
        if match and not _lives(int(match[1])):
            with suppress(OSError):
                path.unlink(missing_ok=True)


def write_error(path: Path, fault: OSError, *, error: type[FileError] = FileError) -> FileError:
    """Return the error that says in a line what could not be written, why, and what to do."""
    fix = _FIXES.get(fault.errno or 0, 'choose another folder')
    return error(f'cannot write {path.absolute()}: {fault.strerror or fault}; {fix}. '
                 'Files that were there before are kept')


@contextmanager
def _telling(path: Path, error: type[FileError]) -> Iterator[None]:
    try:
        yield
    except OSError as fault:
        raise write_error(path, fault, error=error) from fault


def _literal(name: str) -> str:
    return re.sub(r'([*?[])', r'[\1]', name)


def _lives(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except (OSError, OverflowError):
        return True  # Another user's, which no signal may be sent to; or unknown.
    return True
