"""The error of every checkpoint that cannot be used, and how keys are shown in it."""
from __future__ import annotations

from collections.abc import Iterable

from auglocal_mm.files import FileError

SHOWN_KEYS = 8


class CheckpointError(FileError):
    """A checkpoint cannot be used as asked; the message says why and what to do."""


def some(keys: Iterable[str]) -> str:
    """Return the first keys as text, and how many more there are."""
    keys = list(keys)
    more = f', … {len(keys) - SHOWN_KEYS} more' if len(keys) > SHOWN_KEYS else ''
    return ', '.join(keys[:SHOWN_KEYS]) + more
