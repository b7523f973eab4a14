"""What a rank leaves for its launcher when it ends, and how it ends when the launcher is gone."""
from __future__ import annotations

import atexit
import ctypes
import json
import multiprocessing
import os
import signal
import sys
import threading
import time
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import NoReturn

from auglocal_mm.console.told import Fault

#: Set by the launcher: a folder for the reports, and its own process number.
FOLDER, LAUNCHER = 'AUGLOCAL_RANKS_FOLDER', 'AUGLOCAL_RANKS_LAUNCHER'
_PR_SET_PDEATHSIG = 1  # from linux/prctl.h; Python has no name for it
_POLL_SECONDS = 1.0


@dataclass(frozen=True)
class Report:
    """How a rank ended.

    Attributes:
        rank: Its number among all ranks.
        time: When, in seconds since 1970.
        status, line, kind: See :class:`auglocal_mm.console.told.Fault`. The launcher's own kind
            is ``'hang'``.
    """

    rank: int
    time: float
    status: int
    line: str
    kind: str


def is_watched() -> bool:
    """Tell whether this process is a rank of our launcher."""
    return FOLDER in os.environ and 'RANK' in os.environ


def report(fault: Fault) -> None:
    """Leave a fault for the launcher, ours or torch's; do nothing without one."""
    if is_watched():
        rank = int(os.environ['RANK'])
        content = Report(rank, time.time(), fault.status, fault.line, fault.kind)
        _write(Path(os.environ[FOLDER]) / f'{rank}.json', asdict(content))
    elif 'TORCHELASTIC_ERROR_FILE' in os.environ:
        _write(Path(os.environ['TORCHELASTIC_ERROR_FILE']), {'message': {
            'message': fault.line, 'extraInfo': {'timestamp': str(int(time.time()))}}})


def _write(path: Path, content: dict) -> None:
    try:
        # Not by files.write_text: its folder is the launcher's, and must not come back once gone.
        whole = path.with_suffix('.partial')
        whole.write_text(json.dumps(content), encoding='utf-8')
        whole.replace(path)
    except OSError:  # The rank's status is all that is left.
        pass


def read_reports(folder: Path) -> list[Report]:
    """Read the reports of all ranks, the earliest first."""
    found = []
    for path in folder.glob('*.json'):
        try:
            found.append(Report(**json.loads(path.read_text(encoding='utf-8'))))
        except (OSError, ValueError, TypeError):
            continue
    return sorted(found, key=lambda each: each.time)


def leave(status: int) -> NoReturn:
    """End this process, with all that is to be done at its exit but without the interpreter's end.

    A thread of it may wait for another rank in compiled code. Python would end that thread as
    soon as it returns, and C++ then aborts the process, with a message and a core dump.
    """
    atexit._run_exitfuncs()
    for stream in (sys.stdout, sys.stderr):
        with suppress(OSError, ValueError):
            stream.flush()
    os._exit(status)


def watch_launcher() -> None:
    """End this rank, killed or not, as soon as our launcher is gone; do nothing without one."""
    if not is_watched():
        return
    launcher = int(os.environ[LAUNCHER])
    # Where multiprocessing keeps sockets of loader workers, which may be killed: the launcher
    # removes it. There is no public way to say so.
    getattr(multiprocessing.current_process(), '_config', {})['tempdir'] = os.environ[FOLDER]
    if sys.platform == 'linux' and os.getppid() == launcher:
        # With another C library, the thread below remains.
        with suppress(OSError, AttributeError):
            ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    threading.Thread(target=_follow, args=(launcher, os.getppid()), daemon=True).start()


def _follow(launcher: int, parent: int) -> None:
    """Kill this process when its launcher, or the parent between them, has ended."""
    while _lives(launcher) and os.getppid() == parent:
        time.sleep(_POLL_SECONDS)
    os.kill(os.getpid(), signal.SIGKILL)


def _lives(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True
