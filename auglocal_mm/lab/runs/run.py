"""A run: one row of a table with one seed, in a folder that shows its progress."""
from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from auglocal_mm.files import read_json, write_json
from auglocal_mm.lab.measure.system import hardware, versions

from .step import Step

RECORD = 'run.json'


class OtherRunError(ValueError):
    """A folder holds a run of the same row with other settings."""


class Row(Protocol):
    """What a run is a run of: one line of a table."""

    @property
    def name(self) -> str:
        """Its name on the command line."""

    @property
    def label(self) -> str:
        """Its name in the table."""

    @property
    def cost(self) -> float:
        """Time relative to that of another row, for the estimate of the time left."""


@dataclass(frozen=True)
class Run:
    """One row with one seed.

    Attributes:
        row: The row.
        seed: Its seed.
        folder: The folder that all its steps write to.
        steps: Its steps, in order.
    """

    row: Row
    seed: int
    folder: Path
    steps: tuple[Step, ...]

    @property
    def label(self) -> str:
        """Row and seed, for the console."""
        return f'{self.row.label} · seed {self.seed}'

    @property
    def next_step(self) -> Step | None:
        """The first step that is not done."""
        return next((step for step in self.steps if not step.done()), None)

    @property
    def state(self) -> str:
        """``done``, ``interrupted`` (something can be continued) or ``missing``."""
        if self.next_step is None:
            return 'done'
        begun = any(step.done() or step.begun() for step in self.steps)
        return 'interrupted' if begun else 'missing'

    def measured(self) -> dict[str, float]:
        """Return results by metric; those of later steps take precedence."""
        return {name: value for step in self.steps for name, value in step.measured().items()}

    @property
    def alone(self) -> bool:
        """Whether nothing else may run beside it, because it measures time."""
        return any(step.alone for step in self.steps)

    @property
    def record(self) -> dict[str, Any]:
        """What was recorded when it was started; empty before."""
        path = self.folder / RECORD
        return read_json(path) if path.is_file() else {}

    @property
    def seconds(self) -> float:
        """Seconds that its steps have taken so far, over all attempts."""
        return sum(self.record.get('seconds', {}).values())

    def seconds_of(self, step: Step) -> float:
        """Return the seconds that one step has taken so far, over all attempts."""
        return float(self.record.get('seconds', {}).get(step.name, 0.0))

    def _identity(self) -> dict[str, Any]:
        """Return what must not change between two attempts."""
        return {step.name: found for step in self.steps if (found := step.identity())}

    def check(self) -> None:
        """Refuse to continue a run that was started with other settings.

        Raises:
            OtherRunError: The run was started with other settings.
        """
        before = self.record.get('identity', self._identity())
        if before != self._identity():
            raise OtherRunError(
                f'{self.folder} holds a run with other settings:\n'
                f'  there: {before}\n  requested: {self._identity()}\n'
                'give another --work-dir, or move that folder away')

    def begin(self) -> None:
        """Create the folder and record the run, the hardware and the versions."""
        self.folder.mkdir(parents=True, exist_ok=True)
        before = self.record
        # A run that is resumed keeps the record of its first start. One that has nothing to
        # resume may have been started with other settings.
        if not before or self.state == 'missing' and before['identity'] != self._identity():
            write_json({'identity': self._identity(), 'seed': self.seed, 'seconds': {},
                        'hardware': hardware(), 'versions': versions()}, self.folder / RECORD)

    def add_seconds(self, step: Step, seconds: float) -> None:
        """Record how long a step took, to its end or until it was stopped."""
        taken = {**self.record['seconds'], step.name: self.seconds_of(step) + seconds}
        write_json({**self.record, 'seconds': taken}, self.folder / RECORD)
