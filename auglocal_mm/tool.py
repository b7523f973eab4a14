"""Runs every command-line tool with a clean console and faults in one line."""
from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def tool() -> Iterator[None]:
    """Run a tool's main function.

    A fault of the input (missing file, impossible setting, unusable checkpoint)
    prints its message and exits with status 2; ``AUGLOCAL_TRACEBACK=1`` shows the
    traceback. Any other error keeps its traceback.
    """
    try:
        from .host_chatter import import_hosts
        import_hosts('mmpretrain.datasets', 'mmpretrain.models')
        yield
    except Exception as error:
        if os.environ.get('AUGLOCAL_TRACEBACK') or not _is_users(error):
            raise
        print(f'error: {error}', file=sys.stderr)
        sys.exit(2)


def _is_users(error: BaseException) -> bool:
    from .checkpoints import CheckpointError
    from .datasets.errors import DataError
    if isinstance(error, (CheckpointError, DataError, FileNotFoundError)):
        return True
    return isinstance(error, (TypeError, ValueError)) and _raised_by_us(error)


def _raised_by_us(error: BaseException) -> bool:
    """Tell whether we raised it, or a registry re-raised it while building what we refused."""
    innermost = error
    while (outer := innermost.__cause__ or innermost.__context__) is not None:
        innermost = outer
    frame = innermost.__traceback__
    while frame is not None and frame.tb_next is not None:
        frame = frame.tb_next
    return frame is not None and frame.tb_frame.f_globals.get('__name__', '').startswith(
        'auglocal_mm')
