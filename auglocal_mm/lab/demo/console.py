"""The demo's console: a live view on a terminal, a line every 20 seconds elsewhere."""
import time
from collections.abc import Sequence
from typing import TextIO

from auglocal_mm.lab.jobs import Forecast, LiveText, RunningJob

_PAIR = 2
#: Characters; a line of a training then fits a terminal of 80.
_BAR, _LABEL = 14, 12
#: Usual seconds of a command before it trains or tests: imports, mostly.
_START_UP_SECONDS = 8.0
#: Least seconds between two looks at the logs.
_LOOK_SECONDS = 1.0


def clock(seconds: float) -> str:
    """Minutes and seconds, e.g. ``3:07``."""
    whole = max(0, round(seconds))
    return f'{whole // 60}:{whole % 60:02d}'


def bar(label: str, share: float, state: str) -> str:
    """Return a line with a label, a bar for `share` (0 to 1), and the state in words."""
    filled = round(_BAR * share)
    return f'{label:<{_LABEL}} {"━" * filled}{"╌" * (_BAR - filled)}  {state}'


def share_of(job: RunningJob) -> float:
    """Return the completed part of a job, 0 to 1."""
    return 1.0 if job.seconds is not None else job.progress().share(job.job.epochs)


def describe(job: RunningJob, *, with_bar: bool = False) -> str:
    """Describe the progress of a job, optionally with a bar."""
    progress = job.progress()
    state = progress.describe(job.job.epochs) or 'running'
    if job.seconds is not None:
        state = f'done · {progress.metric}' if progress.metric else 'done'
    return bar(job.job.label, share_of(job), state) if with_bar else f'{job.job.label}: {state}'


class Console:
    """Shows the steps, the jobs that run, and the time left.

    Args:
        expected: Seconds that each step usually takes, in order.
        stream: Where to write; by default standard output.
    """

    def __init__(self, expected: Sequence[float], *, stream: TextIO | None = None) -> None:
        self._text = LiveText(stream)
        self._forecast = Forecast(expected, start_up=_START_UP_SECONDS)
        self._steps, self._step = len(expected), 0
        self._start = self._step_start = time.monotonic()
        self._looked = float('-inf')

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
        self._step_start = time.monotonic()
        self._forecast.begin(self._step_start)
        self.say(f'[{self._step}/{self._steps}] {title}   ({self._times()})')
        # A terminal shows the live lines at once, a log after one interval.
        self._text.wait()

    def end(self, summary: str = '') -> None:
        """End the step and print its outcome."""
        now = time.monotonic()
        self._forecast.end(now)
        text = f'      done in {clock(now - self._step_start)}'
        self.say(f'{text} · {summary}' if summary else text)

    def watch(self, jobs: Sequence[RunningJob]) -> None:
        """Follow the jobs, and print their progress when an update is due."""
        now = time.monotonic()
        if now - self._looked >= _LOOK_SECONDS:
            self._looked = now
            self._forecast.observe(now, {each.job.name: share_of(each) for each in jobs})
        if self._text.due():
            self._show(jobs, done=self._forecast.share(now))

    def _times(self) -> str:
        return f'{clock(self.elapsed)} elapsed, about {clock(self.remaining())} left'

    def _show(self, jobs: Sequence[RunningJob], *, done: float) -> None:
        # Show both jobs of a pair, but only the running jobs of a longer list.
        listed = [each for each in jobs if len(jobs) <= _PAIR or each.seconds is None]
        percent, times = f'{100 * done:.0f} %', self._times()
        if len(jobs) > _PAIR:
            times += f', {len(jobs) - len(listed)} done'
        live = self._text.replaces
        states = [describe(each, with_bar=live) for each in listed]
        if live:
            whole = bar(f'Step {self._step} of {self._steps}', done,
                        f'{percent} · {times}')
            self._text.show([f'      {line}' for line in (*states, whole)])
        else:
            self.say('      ' + '  |  '.join([f'{percent}, {times}', *states]))
