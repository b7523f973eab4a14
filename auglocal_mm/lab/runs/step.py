"""A step of a run: a command, with a way to see whether its work is done."""
from __future__ import annotations

from pathlib import Path
from typing import Any


class Step:
    """One command of a run.

    Attributes:
        root: Folder that holds ``tools/`` and ``configs/``.
        name: Its name, in one word.
        epochs: Number of epochs, if it trains.
        work_dir: Its work directory, if it trains; its progress is read there.
        alone: Whether nothing else may run beside it, because it measures time.
    """

    root: Path
    name: str
    # Without values: a dataclass would take them for the defaults of its own fields.
    epochs: int | None
    work_dir: Path | None
    alone: bool = False

    def done(self) -> bool:
        """Tell whether its result is complete."""
        raise NotImplementedError

    def begun(self) -> bool:
        """Tell whether there is something to continue from."""
        return False

    def command(self) -> list[str]:
        """Return the program and arguments that do it, or what is left of it."""
        raise NotImplementedError

    def measured(self) -> dict[str, float]:
        """Return its results by metric, empty if it has none yet."""
        return {}

    def identity(self) -> dict[str, Any]:
        """Return what must not change between two attempts; empty if nothing matters."""
        return {}
