"""Writes checkpoints, whole or not at all; every failure is a :class:`CheckpointError`."""
from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Any, BinaryIO

import torch

from auglocal_mm import files
from auglocal_mm.files import remove_abandoned

from .errors import CheckpointError

__all__ = ['remove_abandoned', 'save', 'write_atomically', 'write_bytes', 'write_error',
           'write_text', 'write_whole']

write_whole = partial(files.write_whole, error=CheckpointError)
write_bytes = partial(files.write_bytes, error=CheckpointError)
write_text = partial(files.write_text, error=CheckpointError)
write_error = partial(files.write_error, error=CheckpointError)


def write_atomically(content: dict[str, Any], out: str | Path) -> None:
    """Write what ``torch.save`` makes of `content` by :func:`write_whole`."""
    write_whole(out, lambda file: save(content, file))


def save(content: dict[str, Any], file: BinaryIO) -> None:
    """Call ``torch.save``; a failure of the disk is raised as what it is.

    Raises:
        OSError: The file cannot be written.
    """
    try:
        torch.save(content, file)
    except RuntimeError as error:
        # torch closes its archive all the same, and complains about that instead.
        cause = error.__context__
        raise cause if isinstance(cause, OSError) else error from None
