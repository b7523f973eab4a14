"""One module's share of a training step."""
from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from torch import Tensor


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """What a task makes of one output: losses to train by, scores to look at.

    Attributes:
        losses: A loss dict, as a head returns it; with graph if anything is trained by it.
        scores: Values for the log by name, e.g. ``accuracy``; scalars without graph.
        output: What the scores were computed from, without graph, such as class logits
            [B, classes]; ``None`` where nothing can be read from it.
    """
    losses: Mapping[str, Any] = field(default_factory=dict)
    scores: Mapping[str, Tensor] = field(default_factory=dict)
    output: Any = None


@dataclass(frozen=True, kw_only=True)
class LocalStep:
    """What a module hands to whoever drives the training step.

    Attributes:
        module: Index of the module.
        losses: Its loss dict, as a head returns it; with graph if anything is trained
            by it. Empty for a module that has no loss, or nothing to train.
        scores: Values for the log by name, scalars without graph.
        output: What the scores were computed from, or ``None``; see :class:`Outcome`.
        first: Index of the first module that the losses train. Modules without a loss
            are trained by the next one that has one.
    """
    module: int
    losses: Mapping[str, Any]
    scores: Mapping[str, Tensor] = field(default_factory=dict)
    output: Any = None
    first: int | None = None

    @property
    def logits(self) -> Tensor | None:
        """Class logits [B, classes] without graph, in a classifier."""
        return self.output

    @property
    def trained(self) -> range:
        """Indices of the modules that the losses train."""
        return range(self.module if self.first is None else self.first, self.module + 1)
