"""Lines that a terminal shows live, and that a log gets now and then.

rich draws them, and is loaded only where there is a terminal. Permanent lines are never
passed through it, so nothing wraps, colours or otherwise changes them.
"""
from __future__ import annotations

import io
import sys
import time
from collections.abc import Sequence
from types import TracebackType
from typing import TYPE_CHECKING, TextIO

if TYPE_CHECKING:
    from rich.console import Console, RenderableType
    from rich.live import Live

#: Characters of a bar and of the label before it; a training's line then fits a terminal of 80.
_BAR, _LABEL = 14, 12


def terminal(stream: TextIO) -> Console | None:
    """Return a console that can replace lines, or None for a file, a pipe or a dumb terminal."""
    if not stream.isatty():
        return None
    from rich.console import Console

    # Everything is forced because rich would also obey variables such as FORCE_COLOR and
    # TTY_COMPATIBLE, which programs set that read our output through a pipe.
    console = Console(file=stream, force_terminal=True, force_interactive=True,
                      force_jupyter=False, markup=False, highlight=False, emoji=False)
    return None if console.is_dumb_terminal else console


def bar(label: str, share: float, state: str) -> RenderableType:
    """Return a line with a label, a bar for `share` (0 to 1), and the state in words."""
    from rich.progress_bar import ProgressBar
    from rich.table import Table
    from rich.text import Text

    line = Table.grid(padding=(0, 1, 0, 0), expand=True)
    line.add_column(width=_LABEL, no_wrap=True)
    line.add_column(width=_BAR)
    line.add_column(ratio=1, no_wrap=True)  # the one that is cut on a narrow terminal
    # Named colours: those of rich's theme make full and empty bars alike where there are only 16.
    filled = ProgressBar(total=1.0, completed=share, style='bright_black', complete_style='cyan',
                         finished_style='green')
    line.add_row(Text(label), filled, Text(state))
    return line


class LiveLines:
    """A stream of permanent lines, with lines below them that are replaced.

    As a context manager, it removes the lines that can be replaced, and gives a terminal
    its cursor back, however the block ends.

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
        self._console = terminal(self._stream)
        self.replaces = self._console is not None
        self._seconds = terminal_seconds if self.replaces else plain_seconds
        self._shown = float('-inf')
        self._live: Live | None = None

    def __enter__(self) -> LiveLines:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None,
                 trace: TracebackType | None) -> None:
        self.clear()

    def say(self, text: str = '') -> None:
        """Print permanent lines."""
        self.clear()
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

    def show(self, lines: Sequence[str | RenderableType], *, indent: int = 0) -> None:
        """Replace the lines that were shown last (terminal only)."""
        if self._console is None:
            raise ValueError('lines can be shown only on a terminal; print them with say()')
        from rich.console import Group
        from rich.live import Live
        from rich.padding import Padding
        from rich.text import Text

        if self._live is None:
            # Without a thread of its own, which a fork would not copy.
            self._live = Live(console=self._console, auto_refresh=False, transient=True,
                              redirect_stdout=False, redirect_stderr=False)
            self._live.start()
        self._live.update(Padding(Group(*(
            Text(line, no_wrap=True, overflow='ellipsis') if isinstance(line, str) else line
            for line in lines)), (0, 0, 0, indent)), refresh=True)

    def clear(self) -> None:
        """Remove the lines that were shown last."""
        if self._live is not None:
            self._live.stop()
            self._live = None
