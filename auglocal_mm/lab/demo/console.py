"""The demo's console: a live view on a terminal, a line every 20 seconds elsewhere."""
import time
from collections.abc import Sequence

from auglocal_mm.console.live import LiveLines, bar
from auglocal_mm.lab.jobs import Forecast, RunningJob

_PAIR = 2
_INDENT = 6
#: Usual seconds of a command before it trains or tests: imports, mostly.
_START_UP_SECONDS = 8.0
#: Least seconds between two looks at the logs.
_LOOK_SECONDS = 1.0


def clock(seconds: float) -> str:
    """Format minutes and seconds, e.g. ``3:07``."""
    whole = max(0, round(seconds))
    return f'{whole // 60}:{whole % 60:02d}'


def share_of(job: RunningJob) -> float:
    """Return the completed part of a job, 0 to 1."""
    return 1.0 if job.seconds is not None else job.progress().share(job.job.epochs)


def state_of(job: RunningJob) -> str:
    """Describe the progress of a job in a few words."""
    progress = job.progress()
    if job.seconds is not None:
        return f'done · {progress.metric}' if progress.metric else 'done'
    return progress.describe(job.job.epochs) or 'running'


class Console:
    """Shows the steps, the jobs that run, and the time left.

    Args:
        expected: Seconds that each step usually takes, in order.
        text: Where to write.
    """

    def __init__(self, expected: Sequence[float], text: LiveLines) -> None:
        self._text = text
        self._forecast = Forecast(expected, start_up=_START_UP_SECONDS)
        self._steps, self._step = len(expected), 0
        self._start = self._step_start = time.monotonic()
        self._looked = float('-inf')
        self._queued = False

    @property
    def elapsed(self) -> float:
        """Seconds since the console was made."""
        return time.monotonic() - self._start

    def say(self, text: str = '') -> None:
        """Print permanent lines."""
        self._text.say(text)

    def remaining(self) -> float:
        """Return the seconds left until all steps are done, as displayed."""
        return self._forecast.shown(time.monotonic())

    def begin(self, title: str) -> None:
        """Announce the next step."""
        self._step += 1
        self._step_start, self._queued = time.monotonic(), False
        self._forecast.begin(self._step_start)
        self.say(f'[{self._step}/{self._steps}] {title}   ({self._times()})')
        # A terminal shows the live lines at once, a log after one interval.
        self._text.wait()

    def end(self, summary: str = '') -> None:
        """End the step and print its outcome."""
        now = time.monotonic()
        self._forecast.end(now)
        text = f'{" " * _INDENT}done in {clock(now - self._step_start)}'
        self.say(f'{text} · {summary}' if summary else text)

    def watch(self, jobs: Sequence[RunningJob], waiting: int = 0) -> None:
        """Follow the jobs, and print their progress when an update is due.

        Args:
            jobs: Those that have started.
            waiting: Number of those that wait for one of them to end.
        """
        now = time.monotonic()
        if now - self._looked >= _LOOK_SECONDS:
            self._looked = now
            self._forecast.observe(now, self._shares(jobs, waiting))
        if self._text.due():
            self._show(jobs, done=self._forecast.share(now))

    def _shares(self, jobs: Sequence[RunningJob], waiting: int) -> dict[str, float]:
        """Return how much is done, by job; of trainings in a queue, of all as one.

        The slowest training that runs does not say how long those that wait will take.
        """
        self._queued |= waiting > 0 and any(each.job.epochs for each in jobs)
        shares = {each.job.name: share_of(each) for each in jobs}
        if not self._queued:
            return shares
        return {'all': sum(shares.values()) / (len(jobs) + waiting)}

    def _times(self) -> str:
        return f'{clock(self.elapsed)} elapsed, about {clock(self.remaining())} left'

    def _show(self, jobs: Sequence[RunningJob], *, done: float) -> None:
        # Show both jobs of a pair, but only the running jobs of a longer list.
        listed = [each for each in jobs if len(jobs) <= _PAIR or each.seconds is None]
        percent, times = f'{100 * done:.0f} %', self._times()
        if len(jobs) > _PAIR:
            times += f', {len(jobs) - len(listed)} done'
        if self._text.replaces:
            bars = [bar(each.job.label, share_of(each), state_of(each)) for each in listed]
            whole = bar(f'Step {self._step} of {self._steps}', done, f'{percent} · {times}')
            self._text.show([*bars, whole], indent=_INDENT)
        else:
            states = [f'{each.job.label}: {state_of(each)}' for each in listed]
            self.say(' ' * _INDENT + '  |  '.join([f'{percent}, {times}', *states]))
