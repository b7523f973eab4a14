"""The run that a failure or an interruption ended, and its log file."""
from __future__ import annotations

import logging
import os
import sys
import traceback
from pathlib import Path
from typing import Any

from .frames import frames


def run_of(error: BaseException) -> Any:
    """Return the mmengine runner in whose methods an exception was raised, or None."""
    for frame in reversed(frames(error)):
        for name in ('runner', 'self'):
            value = frame.f_locals.get(name)
            if any(kind.__name__ == 'Runner' for kind in type(value).__mro__):
                return value
    return None


def keep_traceback(error: BaseException) -> str | None:
    """Append an exception's traceback to the log file of its run; return the file's path."""
    run = run_of(error)
    path = log_file(run) if run is not None else None
    if path is None:
        return None
    try:
        with path.open('a', encoding='utf-8') as file:
            file.write(''.join(traceback.format_exception(error)))
    except (OSError, UnicodeError):  # A full disk is reported by the line itself.
        return None
    return os.path.relpath(path)


def log_file(run: Any) -> Path | None:
    """Return the log file of a run, on this rank, if there is one."""
    logger = getattr(run, 'logger', None)
    for handler in getattr(logger, 'handlers', []):
        if isinstance(handler, logging.FileHandler):
            return Path(handler.baseFilename)
    folder, stamp = getattr(run, '_log_dir', None), getattr(run, '_timestamp', None)
    if not folder or not Path(folder).is_dir():
        return None
    # Only the first rank has a log file of its own.
    return Path(folder) / f'{stamp}_rank{os.environ.get("RANK", 0)}.log'


def progress_of(error: BaseException) -> str:
    """Say where training was interrupted, and how to continue, as far as is known."""
    run = run_of(error)
    loop: Any = getattr(run, '_train_loop', None)
    if not hasattr(loop, 'run_iter'):
        return ''
    resumes = Path(sys.argv[0].split()[-1] if sys.argv[0] else '').stem == 'train'
    return (f' in epoch {loop.epoch + 1}, after {loop.iter} iterations of the run'
            f'{"; continue with --resume" if resumes else ""}')
