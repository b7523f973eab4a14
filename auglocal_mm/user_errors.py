"""How the tools end when the user's input is at fault: one message, no traceback."""
from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def readable_errors() -> Iterator[None]:
    """Print a fault's message and exit with status 2; ``AUGLOCAL_TRACEBACK=1`` shows it whole.

    Only faults found at the door are shortened (missing files, impossible
    settings, unusable checkpoints); anything else keeps its traceback.
    """
    try:
        yield
    except Exception as error:
        if os.environ.get('AUGLOCAL_TRACEBACK') or not _is_users(error):
            raise
        print(f'error: {error}', file=sys.stderr)
        sys.exit(2)


def _is_users(error: BaseException) -> bool:
    from .checkpoint import CheckpointError
    if isinstance(error, (CheckpointError, FileNotFoundError)):
        return True
    return isinstance(error, (TypeError, ValueError)) and _raised_by_us(error)


def _raised_by_us(error: BaseException) -> bool:
    frame = error.__traceback__
    while frame is not None and frame.tb_next is not None:
        frame = frame.tb_next
    return frame is not None and frame.tb_frame.f_globals.get('__name__', '').startswith(
        'auglocal_mm')
