"""The measuring loop: workers step in turns, never two at once."""
from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from .worker import WorkerFailed


class Turn(Protocol):
    """A participant (:class:`~auglocal_mm.lab.measure.benchmark.worker.Worker`)."""

    name: str

    def wait_until_ready(self) -> None:
        """Wait until it can step."""

    def step(self) -> float:
        """Run one step and return its seconds."""
        ...

    def begin(self) -> None:
        """Discard the peak memory and the steps so far, because the timed steps begin."""

    def measure(self) -> dict[str, Any]:
        """Return everything else that is measured."""
        ...


@dataclass
class Outcome:
    """The outcome of a worker.

    Attributes:
        step_seconds: Seconds of each timed step, in the order of the rounds.
        measured: See :meth:`Turn.measure`.
        error: Why it failed, ``None`` if it did not.
    """
    step_seconds: list[float] = field(default_factory=list)
    measured: dict[str, Any] = field(default_factory=dict)
    error: str | None = None


class Turns:
    """Lets every active worker do the same thing, one after another.

    A worker that fails drops out with a line to the user; the others continue.

    Args:
        workers: The workers, in the order of their turns.
        say: Called with a line about each event.
    """

    def __init__(self, workers: Sequence[Turn], say: Callable[[str], None]) -> None:
        self.outcomes = {worker.name: Outcome() for worker in workers}
        self._workers = workers
        self._say = say

    def measure(self, *, warmup: int, rounds: int) -> dict[str, Outcome]:
        """Let each worker take one step per round, then measure each.

        Because the steps interleave, other load on the machine affects all workers alike.

        Args:
            warmup: Number of rounds that are not timed.
            rounds: Number of timed rounds.
        """
        self._each(lambda worker, outcome: worker.wait_until_ready())
        for number in range(warmup):
            self._say(f'warm-up {number + 1} of {warmup}')
            self._each(lambda worker, outcome: worker.step())
        self._each(lambda worker, outcome: worker.begin())
        for number in range(rounds):
            self._each(lambda worker, outcome: outcome.step_seconds.append(worker.step()))
            if (number + 1) % max(1, rounds // 10) == 0 or number + 1 == rounds:
                self._say(f'round {number + 1} of {rounds}')
        self._each(lambda worker, outcome: outcome.measured.update(worker.measure()))
        return self.outcomes

    def _each(self, do: Callable[[Turn, Outcome], object]) -> None:
        for worker in self._workers:
            outcome = self.outcomes[worker.name]
            if outcome.error is not None:
                continue
            try:
                do(worker, outcome)
            except WorkerFailed as fault:
                outcome.error = str(fault)
                self._say(f'{worker.name} drops out: {fault}')
