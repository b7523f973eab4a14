"""Losses and accuracies of the local modules in the latest training step."""
from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from auglocal_mm.execution.local_step import LocalStep


class LocalMetrics:
    """Holds the latest step's values on the device they were computed on.

    Only reading them synchronises with the device, so the reader (the logging hook)
    decides how often that happens.

    Args:
        names: Name of the local layer at the end of each module.
    """

    def __init__(self, names: Sequence[str]) -> None:
        self.names = tuple(names)
        self.losses: dict[str, Tensor] = {}
        self.accuracies: dict[str, Tensor] = {}

    def reset(self) -> None:
        """Forget the step before, at the beginning of a step."""
        self.losses, self.accuracies = {}, {}

    def update(self, step: LocalStep, loss: Tensor) -> None:
        """Record one module's loss (a scalar) and its top-1 accuracy in percent.

        With mixed labels (Mixup, CutMix) or several labels per image there is no top-1
        accuracy, and none is recorded.
        """
        name = self.names[step.module]
        self.losses[name] = loss.detach()
        if step.logits is not None and step.labels is not None:
            hits = step.logits.argmax(dim=1) == step.labels
            self.accuracies[name] = 100 * hits.float().mean()

    def total_loss(self) -> Tensor:
        """Return the sum of the auxiliary networks' losses, without the head's."""
        local = [loss for name, loss in self.losses.items() if name != self.names[-1]]
        return torch.stack(local).sum() if local else torch.zeros(())
