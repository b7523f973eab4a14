"""The demo's console: a live view on a terminal, a line every 20 seconds elsewhere."""
import time
from collections.abc import Sequence
from typing import TextIO

from auglocal_mm.jobs import Forecast, LiveText, RunningJob

_PAIR = 2
_BAR, _LABEL = 16, 14
#: Usual seconds of a command before it trains or tests: imports, mostly.
_START_UP_SECONDS = 8.0
#: Least seconds between two looks at the logs.
_LOOK_SECONDS = 1.0


def clock(seconds: float) -> str:
    """Minutes and seconds, e.g. ``3:07``."""
    whole = max(0, round(seconds))
    return f'{whole // 60}:{whole % 60:02d}'


def bar(label: str, share: float, state: str) -> str:
    """A line with a bar: what, how much of it is done (0 to 1), and in words."""
    filled = round(_BAR * share)
    return f'{label:<{_LABEL}} {"━" * filled}{"╌" * (_BAR - filled)}  {state}'


def share_of(job: RunningJob) -> float:
    """Done part of a job, 0 to 1."""
    return 1.0 if job.seconds is not None else job.progress().share(job.job.epochs)


def describe(job: RunningJob, *, with_bar: bool = False) -> str:
    """How far a job is, in a few words, with a bar before them if wanted."""
    progress = job.progress()
    state = progress.describe(job.job.epochs) or 'running'
    if job.seconds is not None:
        state = f'done · {progress.metric}' if progress.metric else 'done'
    return bar(job.job.label, share_of(job), state) if with_bar else f'{job.job.label}: {state}'


class Console:
    """Shows the steps, what runs in them, and how long everything will take.

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
        """Print lines that stay."""
        self._text.say(text)

    def remaining(self) -> float:
        """Seconds that all steps still need, as shown."""
        return self._forecast.shown(time.monotonic())

    def begin(self, title: str) -> None:
        """Announce the next step."""
        self._step += 1
        self._step_start = time.monotonic()
        self._forecast.begin(self._step_start)
        self.say(f'[{self._step}/{self._steps}] {title}   ({self._times()})')
        # On a terminal the live lines come at once, elsewhere after a while.
        self._text.wait()

    def end(self, summary: str = '') -> None:
        """Close the step, with what came out of it."""
        now = time.monotonic()
        self._forecast.end(now)
        text = f'      done in {clock(now - self._step_start)}'
        self.say(f'{text} · {summary}' if summary else text)

    def watch(self, jobs: Sequence[RunningJob]) -> None:
        """Follow the jobs; print only as often as is pleasant."""
        now = time.monotonic()
        if now - self._looked >= _LOOK_SECONDS:
            self._looked = now
            self._forecast.observe(now, {each.job.name: share_of(each) for each in jobs})
        if self._text.due():
            self._show(jobs, done=self._forecast.share(now))

    def _times(self) -> str:
        return f'{clock(self.elapsed)} elapsed, about {clock(self.remaining())} left'

    def _show(self, jobs: Sequence[RunningJob], *, done: float) -> None:
        # Of a long list only what runs; of a pair both, for comparison.
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
