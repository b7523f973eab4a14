"""The progress of a download: a line that updates in place, or a few lines in a log."""
from __future__ import annotations

import sys
import time
from typing import TextIO

_SECONDS_BETWEEN = {True: 0.2, False: 15.0}


class Progress:
    """Prints to a stream, standard error by default.

    Args:
        stream: A terminal gets one line that updates in place, anything else one line
            every fifteen seconds.
    """

    def __init__(self, stream: TextIO | None = None) -> None:
        self.stream = stream or sys.stderr
        self.is_terminal = self.stream.isatty()
        self._started = self._printed = 0.0
        self._first_bytes = 0
        self._open_line = False

    def say(self, message: str) -> None:
        """Print a separate line."""
        self._end_line()
        print(message, file=self.stream, flush=True)

    def start(self, done_bytes: int) -> None:
        """Start a transfer of which `done_bytes` have already arrived."""
        self._started = self._printed = time.monotonic()
        self._first_bytes = done_bytes

    def update(self, name: str, done_bytes: int, total_bytes: int) -> None:
        """Report that `done_bytes` of a transfer have arrived."""
        now = time.monotonic()
        done = done_bytes >= total_bytes
        if not done and now - self._printed < _SECONDS_BETWEEN[self.is_terminal]:
            return
        self._printed = now
        rate = (done_bytes - self._first_bytes) / max(now - self._started, 1e-9)
        left = (total_bytes - done_bytes) / rate if rate else float('inf')
        line = (f'{name}: {100 * done_bytes // total_bytes} % of {total_bytes / 1e6:,.1f} MB, '
                f'{rate / 1e6:.1f} MB/s' + ('' if done else f', {_duration(left)} left'))
        if not self.is_terminal:
            self.say(line)
            return
        self.stream.write(f'\r\x1b[K{line}')
        self.stream.flush()
        self._open_line = True
        if done:
            self._end_line()

    def _end_line(self) -> None:
        if self._open_line:
            self.stream.write('\n')
            self._open_line = False


def _duration(seconds: float) -> str:
    if seconds == float('inf'):
        return 'unknown time'
    minutes, seconds = divmod(round(seconds), 60)
    return f'{minutes} min {seconds:02} s' if minutes else f'{seconds} s'
