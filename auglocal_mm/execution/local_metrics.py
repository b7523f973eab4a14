"""Losses and scores of the modules in the latest training step."""
from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from .events import Listener, ModuleDone, Order, StepBegin


class LocalMetrics(Listener):
    """Holds the latest step's values on the device they were computed on.

    Only reading them synchronises with the device, so the reader (the logging hook)
    decides how often that happens.

    Args:
        names: Name of the unit at the end of each module.

    Attributes:
        losses: Loss of each module that has one, by name.
        scores: The task's scores by kind, then by name: ``scores['accuracy']['layer1.0']``.
    """

    order = Order.RECORD

    def __init__(self, names: Sequence[str]) -> None:
        self.names = tuple(names)
        self.losses: dict[str, Tensor] = {}
        self.scores: dict[str, dict[str, Tensor]] = {}

    @property
    def accuracies(self) -> dict[str, Tensor]:
        """Top-1 accuracies in percent by name; empty where a task has none."""
        return self.scores.get('accuracy', {})

    def begin_step(self, event: StepBegin) -> None:
        """Forget the step before."""
        self.losses, self.scores = {}, {}

    def after_module(self, event: ModuleDone) -> None:
        """Record a module's loss and scores."""
        name = self.names[event.module]
        self.losses[name] = event.loss
        for kind, value in event.scores.items():
            self.scores.setdefault(kind, {})[name] = value

    def total_loss(self) -> Tensor:
        """Return the sum of the auxiliary networks' losses, without the last module's."""
        local = [loss for name, loss in self.losses.items() if name != self.names[-1]]
        return torch.stack(local).sum() if local else torch.zeros(())
