"""A lock on a folder: one process or rank fills it, the others wait."""
from __future__ import annotations

import fcntl
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from .writing import writing

LOCK_NAME = '.prepare.lock'


@contextmanager
def locked(folder: Path, *, say: Callable[[str], None]) -> Iterator[None]:
    """Hold the folder's lock; the system releases it however the process ends.

    Raises:
        DataError: The folder cannot be written to.
    """
    path = folder / LOCK_NAME
    with writing(path):
        folder.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o666)
    try:
        with writing(path):
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                say(f'another process is filling {folder.absolute()}; waiting for it')
                fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        # The file stays: if it were removed, the next process would lock another of its name.
        os.close(descriptor)
