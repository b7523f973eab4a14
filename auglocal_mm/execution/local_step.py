"""One local module's share of a training step."""
from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor


@dataclass(frozen=True)
class LocalStep:
    """What a local module hands to whoever drives the training step.

    Attributes:
        module: Index of the local module.
        losses: Its loss dict, as a head returns it; with graph if anything is trained
            by it. Empty for a module that has no loss, or nothing to train.
        logits: Class logits [B, classes] without graph, or ``None``.
        labels: Labels [B], or ``None`` where images have mixed or several labels.
        first: Index of the first module that the losses train. Modules without a loss
            are trained by the next one that has one.
    """
    module: int
    losses: dict[str, Tensor]
    logits: Tensor | None = None
    labels: Tensor | None = None
    first: int | None = None

    @property
    def trained(self) -> range:
        """Indices of the modules that the losses train."""
        return range(self.module if self.first is None else self.first, self.module + 1)
