"""The progress of a download: a line that updates in place, or a few lines in a log."""
from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TextIO

from auglocal_mm.console.live import LiveLines


class Progress:
    """Prints to a stream, standard error by default.

    Args:
        stream: A terminal gets one line that updates in place, anything else one line
            every fifteen seconds.
    """

    def __init__(self, stream: TextIO | None = None) -> None:
        self._lines = LiveLines(stream or sys.stderr, terminal_seconds=0.2, plain_seconds=15.0)
        self._started = 0.0
        self._first_bytes = 0

    def say(self, message: str) -> None:
        """Print a separate line."""
        self._lines.say(message)

    @contextmanager
    def transfer(self, done_bytes: int) -> Iterator[None]:
        """Follow a transfer of which `done_bytes` have already arrived, however it ends."""
        self._started = time.monotonic()
        self._first_bytes = done_bytes
        self._lines.wait()
        with self._lines:
            yield

    def update(self, name: str, done_bytes: int, total_bytes: int) -> None:
        """Report that `done_bytes` of a transfer have arrived."""
        done = done_bytes >= total_bytes
        if not done and not self._lines.due():
            return
        rate = (done_bytes - self._first_bytes) / max(time.monotonic() - self._started, 1e-9)
        left = (total_bytes - done_bytes) / rate if rate else float('inf')
        line = (f'{name}: {100 * done_bytes // total_bytes} % of {total_bytes / 1e6:,.1f} MB, '
                f'{rate / 1e6:.1f} MB/s' + ('' if done else f', {_duration(left)} left'))
        # The last line stays; a terminal's others are replaced.
        if done or not self._lines.replaces:
            self._lines.say(line)
        else:
            self._lines.show([line])


def _duration(seconds: float) -> str:
    if seconds == float('inf'):
        return 'unknown time'
    minutes, seconds = divmod(round(seconds), 60)
    return f'{minutes} min {seconds:02} s' if minutes else f'{seconds} s'
