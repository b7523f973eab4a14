"""What a simulation found about one way of training on a number of ranks."""
from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from auglocal_mm.plan import Event

from .engine import Key, Span, events_of

#: Strategies by key, as tables and pictures name them.
NAMES = {
    'local_pipeline': 'local pipeline',
    'local_data_parallel': 'local data parallel',
    'local_hybrid': 'local hybrid',
    'bp_data_parallel': 'BP data parallel',
    'bp_gpipe': 'BP GPipe',
    'bp_1f1b': 'BP 1F1B',
    'bp_zero_bubble': 'BP zero bubble',
    'bp_hybrid': 'BP hybrid',
}


@dataclass(frozen=True, kw_only=True)
class Result:
    """One strategy on a number of ranks.

    Attributes:
        strategy: A key of :data:`NAMES`.
        stages: Number of stages that the modules are cut into.
        replicas: Number of ranks that hold each stage.
        period: Seconds from one training step to the next, when all ranks are busy.
        work: Seconds that all ranks together compute in one step.
        batch_size: Number of images in one step.
        rank_bytes: Bytes of the rank that needs most.
        spans: When the ranks of the first replica and their network ran each task.
    """
    strategy: str
    stages: int
    replicas: int
    period: float
    work: float
    batch_size: int
    rank_bytes: float
    spans: Mapping[Key, Span] = field(repr=False, compare=False)

    @property
    def ranks(self) -> int:
        """Number of ranks."""
        return self.stages * self.replicas

    @property
    def throughput(self) -> float:
        """Images per second."""
        return self.batch_size / self.period

    @property
    def rate(self) -> str:
        """The throughput in words."""
        value = self.throughput
        return f'{value:,.0f} images/s' if value >= 1000 else f'{value:.3g} images/s'

    @property
    def bubble(self) -> float:
        """Share of the ranks' time in which they compute nothing."""
        # Not below 0 by rounding.
        return max(0.0, 1 - self.work / (self.ranks * self.period))

    @property
    def events(self) -> tuple[Event, ...]:
        """What the ranks of the first replica did."""
        return events_of(self.spans)

    def to_dict(self) -> dict[str, Any]:
        """Return plain numbers and strings, without the spans."""
        return dict(strategy=self.strategy, ranks=self.ranks, stages=self.stages,
                    replicas=self.replicas, images_per_second=self.throughput,
                    seconds_per_step=self.period, bubble=self.bubble, rank_bytes=self.rank_bytes)


def steady_period(ends: Sequence[float]) -> float:
    """Return the seconds per step, given when each step ended; the first half fills the ranks."""
    first = (len(ends) - 1) // 2
    return (ends[-1] - ends[first]) / (len(ends) - 1 - first)
