"""Writes files that are either whole or not there, whenever the process or the machine stops."""
from __future__ import annotations

import errno
import os
import re
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any, BinaryIO

import torch

from .errors import CheckpointError

_PARTIAL = re.compile(r'\..+\.(\d+)\.partial')
_FIXES = {
    errno.ENOSPC: 'free some space',
    errno.EDQUOT: 'free some space, or ask for a larger quota',
    errno.EFBIG: 'the file system or a limit of the process forbids files of this size',
    errno.EROFS: 'choose a folder on a disk that can be written to',
    errno.EACCES: 'choose a folder that you may write to',
}


def write_whole(path: str | Path, write: Callable[[BinaryIO], Any]) -> None:
    """Write a file so that its path names either the old content or all of the new one.

    The content goes to ``.NAME.PID.partial`` beside it, is flushed to the disk and
    renamed. So a process that is killed, a full disk and a power failure leave the
    old file as it was. What a process that is gone left half written is removed.

    Args:
        path: The file. Its folder is made if needed.
        write: Called with the open file; writes the content.

    Raises:
        CheckpointError: The file cannot be written; the old one still stands.
    """
    path = Path(path)
    # Through a link, as writing in place would.
    path = path.resolve() if path.is_symlink() else path
    partial = path.with_name(f'.{path.name}.{os.getpid()}.partial')
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        if path.exists() and not path.is_file():
            with path.open('wb') as device:  # Such as /dev/stdout; to replace it would destroy it.
                write(device)
            return
        remove_abandoned(path.parent, path.name)
        try:
            with partial.open('wb') as file:
                write(file)
                file.flush()
                os.fsync(file.fileno())
            os.replace(partial, path)
        finally:
            with suppress(OSError):
                partial.unlink(missing_ok=True)
    except OSError as error:
        raise write_error(path, error) from error
    _flush_folder(path.parent)


def write_bytes(content: bytes, path: str | Path) -> None:
    """Write bytes by :func:`write_whole`."""
    write_whole(path, lambda file: file.write(content))


def write_text(content: str, path: str | Path, encoding: str = 'utf-8') -> None:
    """Write text by :func:`write_whole`."""
    write_bytes(content.encode(encoding), path)


def write_atomically(content: dict[str, Any], out: str | Path) -> None:
    """Write what ``torch.save`` makes of `content` by :func:`write_whole`."""
    def save(file: BinaryIO) -> None:
        try:
            torch.save(content, file)
        except RuntimeError as error:
            # torch closes its archive all the same, and complains about that instead.
            cause = error.__context__
            raise cause if isinstance(cause, OSError) else error from None
    write_whole(out, save)


def remove_abandoned(folder: Path, name: str | None = None) -> None:
    """Remove what dead processes left half written in a folder, of one file or of all."""
    pattern = '.*.partial' if name is None else f'.{_literal(name)}.*.partial'
    for path in folder.glob(pattern):
        match = _PARTIAL.fullmatch(path.name)
        if match and not _lives(int(match[1])):
            with suppress(OSError):
                path.unlink(missing_ok=True)


def write_error(path: Path, error: OSError) -> CheckpointError:
    """Return the error that says in a line what could not be written, why, and what to do."""
    fix = _FIXES.get(error.errno or 0, 'choose another folder')
    return CheckpointError(f'cannot write {path.absolute()}: {error.strerror or error}; {fix}. '
                           'Files that were there before are kept')


def _literal(name: str) -> str:
    return re.sub(r'([*?[])', r'[\1]', name)


def _lives(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except (OSError, OverflowError):
        return True
    return True


def _flush_folder(folder: Path) -> None:
    """Make the new name last through a power failure, where the file system can."""
    with suppress(OSError):
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
