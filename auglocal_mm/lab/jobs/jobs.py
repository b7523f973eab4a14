"""Child processes of a tool: each writes to a log file, and several run at a time."""
import os
import signal
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from .progress import Progress, ProgressReader

_POLL_SECONDS = 0.25
_GRACE_SECONDS = 10


@dataclass(frozen=True)
class Job:
    """A command to run.

    Attributes:
        name: Unique name; its log is ``<name>.log``.
        label: Its name on the console.
        command: Program and arguments.
        epochs: Number of training epochs, if it trains.
        work_dir: Its work directory, if it trains; its progress is read there.
        iterations: Iterations of an epoch, if known; without them, nothing is known of the
            progress within the first epoch.
    """

    name: str
    label: str
    command: Sequence[str]
    epochs: int | None = None
    work_dir: Path | None = None
    iterations: int | None = None


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
        env: Its complete environment.
        keep_open: File descriptors that it inherits, such as that of a lock that must
            be held while it runs.
    """

    def __init__(self, job: Job, *, log_dir: Path, cwd: Path, env: Mapping[str, str],
                 keep_open: Sequence[int] = ()) -> None:
        self.job = job
        self.log = log_dir / f'{job.name}.log'
        self.seconds: float | None = None
        # Before the start, so that what it writes can be told from what was there.
        self._reader = (None if job.work_dir is None
                        else ProgressReader(job.work_dir, job.iterations))
        self._start = time.monotonic()
        with self.log.open('wb') as output:
            # A new session: Ctrl-C reaches only us, and we stop the child together with
            # its data-loading workers.
            self._process = subprocess.Popen(
                list(job.command), stdout=output, stderr=subprocess.STDOUT,
                stdin=subprocess.DEVNULL, cwd=cwd, env=dict(env), start_new_session=True,
                pass_fds=tuple(keep_open),
            )

    @property
    def elapsed(self) -> float:
        """Seconds since the start, or the run time once it has ended."""
        return time.monotonic() - self._start if self.seconds is None else self.seconds

    def poll(self) -> bool:
        """Return whether it has ended successfully.

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
        """Read its progress; empty for a job that does not train."""
        return Progress() if self._reader is None else self._reader.read()

    def stop(self) -> None:
        """Stop it and its own children: SIGTERM first, then SIGKILL."""
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
    """Return the last `limit` bytes of a text file, or nothing if there is no file."""
    try:
        with path.open('rb') as file:
            file.seek(0, os.SEEK_END)
            file.seek(max(0, file.tell() - limit))
            return file.read().decode('utf-8', errors='replace')
    except FileNotFoundError:
        return ''


def run_jobs(
    jobs: Sequence[Job], *, log_dir: Path, cwd: Path, env: Mapping[str, str], side_by_side: int,
    watch: Callable[[Sequence[RunningJob], int], None],
) -> dict[str, float]:
    """Run jobs until all have ended, at most `side_by_side` at a time.

    Args:
        jobs: The jobs, in the order in which to start them.
        log_dir: Folder of the logs; exists.
        cwd: Working directory of the jobs.
        env: Their complete environment.
        side_by_side: Largest number of jobs at a time, at least 1.
        watch: Called four times a second with all jobs started so far, and the number of
            those that wait.

    Returns:
        Name of each job to its run time in seconds.

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
            # Also after the last one has ended, so that its end is seen.
            watch(started, len(waiting))
            if not running:
                break
            time.sleep(_POLL_SECONDS)
    finally:
        for each in started:
            each.stop()
    return {each.job.name: each.elapsed for each in started}
