"""The demo's console: one live line a step on a terminal, a few lines elsewhere."""
import shutil
import sys
import time
from collections.abc import Sequence
from typing import TextIO

from .jobs import RunningJob

_TERMINAL_SECONDS = 0.5
_PLAIN_SECONDS = 20.0
_SHOWN_WHEN_DONE = 2


def clock(seconds: float) -> str:
    """Minutes and seconds, e.g. ``3:07``."""
    whole = max(0, round(seconds))
    return f'{whole // 60}:{whole % 60:02d}'


def describe(jobs: Sequence[RunningJob]) -> str:
    """How far jobs are, in a line: trainings side by side, of a longer list what runs."""
    facts = []
    for each in jobs:
        if each.seconds is None:
            state = each.progress().describe(each.job.epochs)
            facts.append(f'{each.job.label}: {state or "running"}')
        elif len(jobs) <= _SHOWN_WHEN_DONE:
            facts.append(f'{each.job.label}: done')
    if len(jobs) > _SHOWN_WHEN_DONE:
        facts.insert(0, f'{sum(each.seconds is not None for each in jobs)} done')
    return '  |  '.join(facts)


class Console:
    """Shows steps, what runs in them, and how long all will take.

    Args:
        expected: Seconds that each step usually takes, in order.
        stream: Where to write; by default standard output.
    """

    def __init__(self, expected: Sequence[float], *, stream: TextIO | None = None) -> None:
        self._stream = stream or sys.stdout
        self._live = self._stream.isatty()
        self._expected = list(expected)
        self._took: list[float] = []
        self._start = self._step_start = time.monotonic()
        self._shown = float('-inf')
        self._open_line = False
        # Job -> what its log last said, and when that was first seen.
        self._etas: dict[str, tuple[float, float]] = {}

    @property
    def elapsed(self) -> float:
        """Seconds since the console was made."""
        return time.monotonic() - self._start

    def say(self, text: str = '') -> None:
        """Print lines that stay."""
        self._erase()
        self._stream.write(text + '\n')
        self._stream.flush()

    def begin(self, title: str) -> None:
        """Announce the next step."""
        self._step_start = time.monotonic()
        number, total = len(self._took) + 1, len(self._expected)
        self.say(f'[{number}/{total}] {title}   ({clock(self.elapsed)} elapsed, '
                 f'about {clock(self.remaining())} to go)')
        # On a terminal the live line comes at once, elsewhere after a while.
        self._shown = time.monotonic() if not self._live else float('-inf')

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
        now = time.monotonic()
        if now - self._shown < (_TERMINAL_SECONDS if self._live else _PLAIN_SECONDS):
            return
        self._shown = now
        left = self._countdown(jobs, now=now)
        line = f'      {clock(self.elapsed)} ({clock(self.remaining(left))} to go)  '
        self._show(line + describe(jobs))

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

    def _show(self, line: str) -> None:
        if not self._live:
            self.say(line)
            return
        width = shutil.get_terminal_size().columns - 1
        self._erase()
        self._stream.write(line if len(line) <= width else line[:width - 1] + '…')
        self._stream.flush()
        self._open_line = True

    def _erase(self) -> None:
        if self._open_line:
            self._stream.write('\r\x1b[2K')
            self._open_line = False
