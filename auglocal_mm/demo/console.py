"""The demo's console: a live view on a terminal, a line now and then elsewhere."""
import time
from collections.abc import Sequence
from typing import TextIO

from auglocal_mm.jobs import LiveText, RunningJob

_PAIR = 2
_BAR = 24


def clock(seconds: float) -> str:
    """Minutes and seconds, e.g. ``3:07``."""
    whole = max(0, round(seconds))
    return f'{whole // 60}:{whole % 60:02d}'


def describe(job: RunningJob, *, bar: bool = False) -> str:
    """How far a job is, in a few words, with a bar before them if wanted."""
    progress = job.progress()
    state = progress.describe(job.job.epochs) or 'running'
    if job.seconds is not None:
        state = f'done · {progress.metric}' if progress.metric else 'done'
    if not bar:
        return f'{job.job.label}: {state}'
    filled = round(_BAR * (1.0 if job.seconds is not None else progress.share(job.job.epochs)))
    return f'{job.job.label:<16} {"━" * filled}{"╌" * (_BAR - filled)}  {state}'


class Console:
    """Shows steps, what runs in them, and how long all will take.

    Args:
        expected: Seconds that each step usually takes, in order.
        stream: Where to write; by default standard output.
    """

    def __init__(self, expected: Sequence[float], *, stream: TextIO | None = None) -> None:
        self._text = LiveText(stream)
        self._expected = list(expected)
        self._took: list[float] = []
        self._start = self._step_start = time.monotonic()
        # Job -> what its log last said, and when that was first seen.
        self._etas: dict[str, tuple[float, float]] = {}

    @property
    def elapsed(self) -> float:
        """Seconds since the console was made."""
        return time.monotonic() - self._start

    def say(self, text: str = '') -> None:
        """Print lines that stay."""
        self._text.say(text)

    def begin(self, title: str) -> None:
        """Announce the next step."""
        self._step_start = time.monotonic()
        number, total = len(self._took) + 1, len(self._expected)
        self.say(f'[{number}/{total}] {title}   ({clock(self.elapsed)} elapsed, '
                 f'about {clock(self.remaining())} to go)')
        # On a terminal the live line comes at once, elsewhere after a while.
        self._text.wait()

    def end(self, summary: str = '') -> None:
        """Close the step, with what came out of it."""
        self._took.append(time.monotonic() - self._step_start)
        text = f'      done in {clock(self._took[-1])}'
        self.say(f'{text} · {summary}' if summary else text)

    def remaining(self, step_left: float | None = None) -> float:
        """Seconds still expected, scaled by how fast the steps so far went.

        Args:
            step_left: Seconds the current step still needs, if it is known.
        """
        done = len(self._took)
        expected = self._expected[:done]
        # Short steps say little about speed; two minutes' worth of trust in the guess.
        pace = (sum(self._took) + 120) / (sum(expected) + 120)
        current = self._expected[done] * pace if done < len(self._expected) else 0.0
        if step_left is None:
            step_left = max(0.0, current - (time.monotonic() - self._step_start))
        return step_left + pace * sum(self._expected[done + 1:])

    def watch(self, jobs: Sequence[RunningJob]) -> None:
        """Show how far the jobs are; prints only as often as is pleasant."""
        if not self._text.due():
            return
        left = self._countdown(jobs, now=time.monotonic())
        times = f'{clock(self.elapsed)} elapsed, about {clock(self.remaining(left))} to go'
        # Of a long list only what runs; of a pair both, for comparison.
        listed = [each for each in jobs if len(jobs) <= _PAIR or each.seconds is None]
        if len(jobs) > _PAIR:
            times += f', {len(jobs) - len(listed)} done'
        self._show(times, [describe(each, bar=self._text.replaces) for each in listed])

    def _countdown(self, jobs: Sequence[RunningJob], *, now: float) -> float | None:
        """Seconds that the slowest job still trains, counted down between its log lines."""
        left = []
        for job in jobs:
            eta = job.progress().eta
            if job.seconds is not None or eta is None:
                continue
            said, since = self._etas.get(job.job.name, (None, now))
            if said != eta:
                self._etas[job.job.name] = eta, now
                since = now
            left.append(max(0.0, eta - (now - since)))
        return max(left) if left else None

    def _show(self, times: str, states: Sequence[str]) -> None:
        if self._text.replaces:
            self._text.show([f'      {line}' for line in (*states, times)])
        else:
            self.say('      ' + '  |  '.join([times, *states]))
