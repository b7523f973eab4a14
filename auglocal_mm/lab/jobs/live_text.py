"""Text that is updated in place on a terminal and printed at intervals elsewhere."""
from __future__ import annotations

import io
import shutil
import sys
import time
from collections.abc import Sequence
from typing import TextIO


class LiveText:
    """A stream of permanent lines, with lines below them that are replaced.

    Args:
        stream: Where to write; by default standard output.
        terminal_seconds: Least time between two updates on a terminal.
        plain_seconds: The same for a file or a pipe, where lines cannot be replaced.

    Attributes:
        replaces: Whether lines can be replaced, which is true of a terminal.
    """

    def __init__(self, stream: TextIO | None = None, *, terminal_seconds: float = 0.5,
                 plain_seconds: float = 20.0) -> None:
        self._stream = stream or sys.stdout
        if isinstance(self._stream, io.TextIOWrapper):
            # A character that the terminal lacks becomes "?" instead of an error.
            self._stream.reconfigure(errors='replace')
        self.replaces = self._stream.isatty()
        self._seconds = terminal_seconds if self.replaces else plain_seconds
        self._shown = float('-inf')
        self._lines = 0

    def say(self, text: str = '') -> None:
        """Print permanent lines."""
        self._erase()
        self._stream.write(text + '\n')
        self._stream.flush()

    def due(self) -> bool:
        """Return whether an update is due, and if so, start the next interval."""
        now = time.monotonic()
        if now - self._shown < self._seconds:
            return False
        self._shown = now
        return True

    def wait(self) -> None:
        """Delay the next update by one interval, except on a terminal."""
        self._shown = float('-inf') if self.replaces else time.monotonic()

    def show(self, lines: Sequence[str]) -> None:
        """Replace the lines that were shown last (terminal only)."""
        width = shutil.get_terminal_size().columns - 1
        self._erase()
        for line in lines:
            self._stream.write((line if len(line) <= width else line[:width - 1] + '…') + '\n')
        self._stream.flush()
        self._lines = len(lines)

    def _erase(self) -> None:
        self._stream.write('\x1b[1A\x1b[2K' * self._lines)
        self._lines = 0
