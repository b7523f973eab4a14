"""Drives the execution of runs from a tool: shows it, and stops it on a signal."""
from __future__ import annotations

import signal
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NoReturn

from auglocal_mm.console.live import LiveLines

from .console import Console
from .execute import Execution
from .run import Run

EXIT_FAILED, EXIT_INTERRUPTED = 1, 130


def drive(runs: Sequence[Run], text: LiveLines, *, environments: Sequence[dict[str, str]],
          lock: int) -> bool:
    """Execute what is missing of the runs, and tell whether one failed.

    Args:
        runs: The runs, in the order to start.
        text: The console.
        environments: One per concurrent run.
        lock: What :func:`~auglocal_mm.lab.runs.execute.only_one` yielded.

    Raises:
        KeyboardInterrupt: Interrupted; everything that was running has been stopped.
    """
    done = [run for run in runs if run.state == 'done']
    execution = Execution(runs, environments=environments, cwd=Path.cwd(), lock=lock)
    console = Console(text, done_before=done, total=len(runs))
    # SIGHUP as well: a closed terminal must not leave trainings behind.
    stops = signal.SIGTERM, signal.SIGHUP
    before = [signal.signal(each, _raise_interrupt) for each in stops]
    try:
        with text:
            execution.execute(console.watch)
    finally:
        for each, handler in zip(stops, before, strict=True):
            signal.signal(each, handler)
    return bool(execution.failures)


def _raise_interrupt(*_: Any) -> NoReturn:
    raise KeyboardInterrupt
