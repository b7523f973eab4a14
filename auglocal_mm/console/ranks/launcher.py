"""Starts ranks as torch's launcher does, and says in one line why they failed."""
from __future__ import annotations

import logging
import os
import shutil
import signal
import sys
import tempfile
import traceback
from collections.abc import Sequence
from pathlib import Path

from auglocal_mm.console.told.interruption import SIGNALS, Interruption
from auglocal_mm.console.tool import DEBUG

from .report import FOLDER, LAUNCHER, read_reports
from .verdict import Verdict, judge
from .watch import Watch

#: Bytes in the longest path of a socket: 107 on Linux, and the least elsewhere.
LONGEST_SOCKET = 103
_PREFIX = 'auglocal-ranks-'


def main(arguments: Sequence[str]) -> int:
    """Start ranks and wait for them.

    Args:
        arguments: Those of ``torch.distributed.run``, which end with a script and its own.

    Returns:
        Exit status: that of the first rank that failed, or 128 plus the number of the signal
        that ended the launcher.
    """
    if '--debug' in arguments:
        os.environ[DEBUG] = '1'
    # Torch's launcher listens to signals only once it has started ranks, seconds later.
    with Interruption(patient=True) as interruption:
        folder = new_folder()
        try:
            verdict = _watched(list(arguments), folder)
        except KeyboardInterrupt:
            verdict = Verdict(interruption.status, 'interrupted')
        finally:
            shutil.rmtree(folder, ignore_errors=True)
    if verdict.line:
        print(verdict.line, file=sys.stderr, flush=True)
    return verdict.status


def new_folder() -> Path:
    """Make a folder for what ranks report, in which their loaders' workers can listen.

    The path of a socket is short. A worker that cannot listen makes its rank wait for ever.
    """
    longest = LONGEST_SOCKET - len(f'/{_PREFIX}12345678/listener-12345678')
    short = len(os.fsencode(tempfile.gettempdir())) <= longest
    try:
        return Path(tempfile.mkdtemp(prefix=_PREFIX, dir=None if short else '/tmp'))
    except OSError:  # There is no /tmp.
        return Path(tempfile.mkdtemp(prefix=_PREFIX))


def _watched(arguments: list[str], folder: Path) -> Verdict:
    os.environ[FOLDER], os.environ[LAUNCHER] = str(folder), str(os.getpid())
    watch = Watch(folder)
    watch.start()
    try:
        # Its own folder is one that torch's launcher would leave behind.
        return _run([f'--log-dir={folder}', *arguments], folder, watch)
    finally:
        for number in SIGNALS:
            signal.signal(number, signal.SIG_IGN)  # What follows takes two seconds at most.
        watch.end()


def _run(arguments: list[str], folder: Path, watch: Watch) -> Verdict:
    from torch.distributed import run
    from torch.distributed.elastic.multiprocessing import SignalException
    from torch.distributed.elastic.multiprocessing.errors import ChildFailedError
    if not os.environ.get(DEBUG):
        _silence()
    try:
        run.run(run.parse_args(arguments))
    except ChildFailedError as error:
        codes = {rank: failure.exitcode for rank, failure in error.failures.items()}
        return judge([*watch.found, *read_reports(folder)], codes)
    except SignalException as error:
        reports = [each for each in read_reports(folder) if each.kind == 'interruption']
        line = min(reports, key=lambda each: each.rank).line if reports else 'interrupted'
        return Verdict(128 + int(error.sigval), line)
    except Exception as error:
        if os.environ.get(DEBUG):
            traceback.print_exc()
        from auglocal_mm.console.told import one_line
        return Verdict(2, one_line(f'error: the ranks cannot be started: {error}; check the '
                                   'number of processes, and that PORT is free'))
    return Verdict(0, '')


def _silence() -> None:
    """Keep the launcher's own warnings and banners off the console: the last line tells."""
    # One by one, because torch gives loggers of these names levels of their own.
    for name in list(logging.root.manager.loggerDict):
        if name.startswith('torch.distributed'):
            logging.getLogger(name).setLevel(logging.CRITICAL)
    logging.getLogger('torch.distributed').setLevel(logging.CRITICAL)
