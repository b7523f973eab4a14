"""What execution asks of a model that is trained locally."""
from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, nullcontext
from typing import Any, Protocol

from torch import Tensor

from auglocal_mm.plan import LocalPlan

from .local_step import LocalStep


class Metrics(Protocol):
    """Where the values of a training step are noted."""

    def update(self, step: LocalStep, loss: Tensor) -> None:
        """Note one module's loss and accuracy."""

    def total_loss(self) -> Tensor:
        """Sum of the auxiliary networks' losses."""
        ...


class LocalModel(Protocol):
    """A model that runs its local modules one by one (``LocalImageClassifier``)."""

    plan: LocalPlan
    local_metrics: Metrics

    def local_steps(self, inputs: Any, data_samples: Any,
                    precision: Callable[[], AbstractContextManager] = nullcontext,
                    ) -> Iterator[LocalStep]:
        """The local modules in depth order, a boundary after each."""
        ...

    def parse_losses(self, losses: dict[str, Tensor]) -> tuple[Tensor, dict[str, Tensor]]:
        """A loss dict -> the loss to train by and values for the log."""
        ...
