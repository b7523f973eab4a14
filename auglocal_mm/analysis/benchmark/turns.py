"""The measuring loop: workers step in turns, never two at once."""
from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from .worker import WorkerFailed


class Turn(Protocol):
    """What takes turns (:class:`~auglocal_mm.analysis.benchmark.worker.Worker`)."""

    name: str

    def wait_until_ready(self) -> None:
        """Return when it can step."""

    def step(self) -> float:
        """Seconds of one step."""
        ...

    def begin(self) -> None:
        """Forget the peak of memory and the steps so far: the timed ones begin."""

    def measure(self) -> dict[str, Any]:
        """Everything else that is measured."""
        ...


@dataclass
class Outcome:
    """What a worker gave.

    Attributes:
        step_seconds: Of each timed step, in the order of the rounds.
        measured: See :meth:`Turn.measure`.
        error: Why it fell out, ``None`` if it did not.
    """
    step_seconds: list[float] = field(default_factory=list)
    measured: dict[str, Any] = field(default_factory=dict)
    error: str | None = None


class Turns:
    """Lets every living worker do the same thing, one after the other.

    A worker that fails falls out with a line to the user; the others go on.

    Args:
        workers: In the order of their turns.
        say: Told what happens, a line each.
    """

    def __init__(self, workers: Sequence[Turn], say: Callable[[str], None]) -> None:
        self.outcomes = {worker.name: Outcome() for worker in workers}
        self._workers = workers
        self._say = say

    def measure(self, *, warmup: int, rounds: int) -> dict[str, Outcome]:
        """In every round each worker takes one step; then each is measured.

        Interleaved so, whatever else happens on the machine hits all alike.

        Args:
            warmup: Rounds that are not timed.
            rounds: Rounds that are.
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
                self._say(f'{worker.name} falls out: {fault}')
