"""Child processes of a tool: output to log files, several side by side."""
import os
import signal
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from .progress import Progress, parse_progress

#: Bytes from the end of a log that are read for progress.
_TAIL_BYTES = 65536
_POLL_SECONDS = 0.25
_GRACE_SECONDS = 10


@dataclass(frozen=True)
class Job:
    """A command to run.

    Attributes:
        name: Unique name; its log is ``<name>.log``.
        label: How the console calls it.
        command: Program and arguments.
        epochs: Epochs that it trains, if it does.
    """

    name: str
    label: str
    command: Sequence[str]
    epochs: int | None = None


class JobFailed(RuntimeError):
    """A child process ended with an error.

    Attributes:
        log: Its log file.
    """

    def __init__(self, job: Job, code: int, log: Path) -> None:
        self.log = log
        ending = f'exit status {code}' if code >= 0 else f'signal {-code}'
        super().__init__(f'{job.label} ended with {ending}')


class RunningJob:
    """A started job.

    Args:
        job: What to run.
        log_dir: Folder of its log; exists.
        cwd: Its working directory.
        env: Its whole environment.
        keep_open: File descriptors that it inherits, such as that of a lock which
            must be held as long as it lives.
    """

    def __init__(self, job: Job, *, log_dir: Path, cwd: Path, env: Mapping[str, str],
                 keep_open: Sequence[int] = ()) -> None:
        self.job = job
        self.log = log_dir / f'{job.name}.log'
        self.seconds: float | None = None
        self._start = time.monotonic()
        with self.log.open('wb') as output:
            # A session of its own: Ctrl-C reaches us alone, and we end the
            # child with all its data-loading workers.
            self._process = subprocess.Popen(
                list(job.command), stdout=output, stderr=subprocess.STDOUT,
                stdin=subprocess.DEVNULL, cwd=cwd, env=dict(env), start_new_session=True,
                pass_fds=tuple(keep_open),
            )

    @property
    def elapsed(self) -> float:
        """Seconds since the start, or that it took."""
        return time.monotonic() - self._start if self.seconds is None else self.seconds

    def poll(self) -> bool:
        """Whether it has ended well.

        Raises:
            JobFailed: It ended with an error.
        """
        code = self._process.poll()
        if code is None:
            return False
        if self.seconds is None:
            self.seconds = time.monotonic() - self._start
        if code != 0:
            raise JobFailed(self.job, code, self.log)
        return True

    def progress(self) -> Progress:
        """What its log says."""
        return parse_progress(tail(self.log, limit=_TAIL_BYTES))

    def stop(self) -> None:
        """End it and what it started, gently first; does nothing once it has ended."""
        if self._process.poll() is not None:
            return
        for number in (signal.SIGTERM, signal.SIGKILL):
            try:
                os.killpg(self._process.pid, number)
            except ProcessLookupError:
                return
            try:
                self._process.wait(timeout=_GRACE_SECONDS)
                return
            except subprocess.TimeoutExpired:
                continue


def tail(path: Path, *, limit: int) -> str:
    """The last `limit` bytes of a text file; empty if it is not there."""
    try:
        with path.open('rb') as file:
            file.seek(0, os.SEEK_END)
            file.seek(max(0, file.tell() - limit))
            return file.read().decode('utf-8', errors='replace')
    except FileNotFoundError:
        return ''


def run_jobs(
    jobs: Sequence[Job], *, log_dir: Path, cwd: Path, env: Mapping[str, str], side_by_side: int,
    watch: Callable[[Sequence[RunningJob]], None],
) -> dict[str, float]:
    """Run jobs to their end, at most `side_by_side` at a time.

    Args:
        jobs: What to run, in the order to start.
        log_dir: Folder of the logs; exists.
        cwd: Working directory of the jobs.
        env: Their whole environment.
        side_by_side: Most jobs at a time, at least 1.
        watch: Called a few times a second with all jobs started so far.

    Returns:
        Seconds that each job took, by name.

    Raises:
        JobFailed: A job failed; the others have been stopped.
    """
    waiting, started = list(jobs), list[RunningJob]()
    try:
        while True:
            running = [each for each in started if not each.poll()]
            while waiting and len(running) < side_by_side:
                running.append(RunningJob(waiting.pop(0), log_dir=log_dir, cwd=cwd, env=env))
                started.append(running[-1])
            watch(started)
            if not running:
                break
            time.sleep(_POLL_SECONDS)
    finally:
        for each in started:
            each.stop()
    return {each.job.name: each.elapsed for each in started}
