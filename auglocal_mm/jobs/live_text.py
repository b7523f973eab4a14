"""Lines that are shown anew in place on a terminal, and printed now and then elsewhere."""
from __future__ import annotations

import io
import shutil
import sys
import time
from collections.abc import Sequence
from typing import TextIO


class LiveText:
    """A stream with lines that stay and, below them, lines that are replaced.

    Args:
        stream: Where to write; by default standard output.
        terminal_seconds: Least time between two views on a terminal.
        plain_seconds: The same where output cannot be replaced.

    Attributes:
        replaces: Whether the stream is a terminal.
    """

    def __init__(self, stream: TextIO | None = None, *, terminal_seconds: float = 0.5,
                 plain_seconds: float = 20.0) -> None:
        self._stream = stream or sys.stdout
        if isinstance(self._stream, io.TextIOWrapper):
            # A terminal that lacks a sign shows "?" rather than stop the tool.
            self._stream.reconfigure(errors='replace')
        self.replaces = self._stream.isatty()
        self._seconds = terminal_seconds if self.replaces else plain_seconds
        self._shown = float('-inf')
        self._lines = 0

    def say(self, text: str = '') -> None:
        """Print lines that stay."""
        self._erase()
        self._stream.write(text + '\n')
        self._stream.flush()

    def due(self) -> bool:
        """Whether it is time to show lines again; notes that it was."""
        now = time.monotonic()
        if now - self._shown < self._seconds:
            return False
        self._shown = now
        return True

    def wait(self) -> None:
        """Where output stays, let some time pass before the first view; on a terminal none."""
        self._shown = float('-inf') if self.replaces else time.monotonic()

    def show(self, lines: Sequence[str]) -> None:
        """Replace the lines that were shown last; a terminal only."""
        width = shutil.get_terminal_size().columns - 1
        self._erase()
        for line in lines:
            self._stream.write((line if len(line) <= width else line[:width - 1] + '…') + '\n')
        self._stream.flush()
        self._lines = len(lines)

    def _erase(self) -> None:
        self._stream.write('\x1b[1A\x1b[2K' * self._lines)
        self._lines = 0
