"""One local module's share of a training step."""
from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor


@dataclass(frozen=True)
class LocalStep:
    """What a local module hands to whoever drives the training step.

    Attributes:
        module: Index of the local module.
        losses: Its loss dict with graph, as a head returns it. Empty for a
            module with nothing to train.
        logits: Class logits [B, classes] without graph, or ``None``.
        labels: Labels [B], or ``None`` where images have mixed or several labels.
    """
    module: int
    losses: dict[str, Tensor]
    logits: Tensor | None = None
    labels: Tensor | None = None
