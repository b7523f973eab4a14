"""Executes what is missing, several runs at once, and continues if one of them fails."""
from __future__ import annotations

import signal
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from auglocal_mm.lab.jobs import Job, JobFailed, RunningJob, tail

from .run import Run
from .step import Step

_POLL_SECONDS = 0.5


@dataclass
class Active:
    """A run in progress.

    Attributes:
        run: The run.
        step: Its current step.
        job: The step's process.
    """

    run: Run
    step: Step
    job: RunningJob


@dataclass(frozen=True)
class Failure:
    """A run that stopped with an error.

    Attributes:
        run: The run.
        reason: What happened.
        log: The output of the step that failed.
    """

    run: Run
    reason: str
    log: Path


class Execution:
    """Works through runs, one in each slot.

    Args:
        runs: The runs, in the order to start; finished runs are left alone.
        environments: One per slot.
        cwd: Working directory of all commands.
        lock: What :func:`only_one` yielded; every command holds it while it runs.

    Attributes:
        waiting: Runs that have not been started.
        active: Slot to the run in it.
        failures: Runs that failed.
        finished: Runs that this execution finished.
    """

    def __init__(self, runs: Sequence[Run], *, environments: Sequence[dict[str, str]],
                 cwd: Path, lock: int | None = None) -> None:
        self.waiting = [run for run in runs if run.state != 'done']
        self.active: dict[int, Active] = {}
        self.failures: list[Failure] = []
        self.finished: list[Run] = []
        self._environments = environments
        self._cwd = cwd
        self._keep_open = () if lock is None else (lock,)

    def execute(self, watch: Callable[[Execution], None]) -> None:
        """Run everything; failures are collected, not raised.

        Args:
            watch: Called about twice a second.
        """
        try:
            while self.waiting or self.active:
                for slot in range(len(self._environments)):
                    self._advance(slot)
                watch(self)
                if self.active:
                    time.sleep(_POLL_SECONDS)
        finally:
            # A second Ctrl-C must not leave a training process running.
            with signals_ignored():
                for each in self.active.values():
                    each.job.stop()
                    each.run.add_seconds(each.step, each.job.elapsed)

    def _advance(self, slot: int) -> None:
        """Advance one slot: end a finished step, start the next one."""
        active = self.active.get(slot)
        if active is not None:
            if not self._ended(active):
                return
            del self.active[slot]
            if not self._failed(active.run) and active.run.next_step is not None:
                self._start(slot, active.run)
                return
            if not self._failed(active.run):
                self.finished.append(active.run)
        # A benchmark comes last, and waits until nothing else runs.
        if self.waiting and not (self.active and self.waiting[0].alone):
            self._start(slot, self.waiting.pop(0))

    def _start(self, slot: int, run: Run) -> None:
        step = run.next_step
        assert step is not None
        run.begin()
        job = Job(step.name, run.label, step.command(), step.epochs, step.work_dir)
        self.active[slot] = Active(run, step, RunningJob(
            job, log_dir=run.folder, cwd=self._cwd, env=self._environments[slot],
            keep_open=self._keep_open))

    def _ended(self, active: Active) -> bool:
        """Tell whether the step's process has ended; record its time and any failure."""
        try:
            if not active.job.poll():
                return False
            reason = '' if active.step.done() else 'ended without error, but incomplete'
        except JobFailed as failure:
            # The tools end with one readable line.
            said = tail(failure.log, limit=4096).strip().splitlines()
            reason = ': '.join([str(failure), *said[-1:]])
        active.run.add_seconds(active.step, active.job.elapsed)
        if reason:
            self.failures.append(Failure(active.run, reason, active.job.log))
        return True

    def _failed(self, run: Run) -> bool:
        return any(failure.run is run for failure in self.failures)


@contextmanager
def signals_ignored() -> Iterator[None]:
    """Ignore the signals that request a stop."""
    stops = signal.SIGINT, signal.SIGTERM, signal.SIGHUP
    before = [signal.signal(each, signal.SIG_IGN) for each in stops]
    try:
        yield
    finally:
        for each, handler in zip(stops, before, strict=True):
            signal.signal(each, handler)


@contextmanager
def only_one(folder: Path, *, tool: str) -> Iterator[int]:
    """Hold a folder, so that two processes never train the same runs.

    Args:
        folder: The folder; it is made if needed.
        tool: Who holds it, for the message.

    Yields:
        The lock's descriptor. A child that inherits it also holds the lock. If only this
        process is killed, its children still keep others out.

    Raises:
        ValueError: Another process holds it.
    """
    import fcntl

    folder.mkdir(parents=True, exist_ok=True)
    with (folder / '.lock').open('w') as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            raise ValueError(f'{folder} is in use by another {tool}, or by a training '
                             'process that one left behind; wait for it or end it, or give '
                             'another --work-dir') from None
        yield lock.fileno()
