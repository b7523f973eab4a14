"""What execution requires of a model that is trained locally."""
from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, nullcontext
from typing import Any, Protocol

from torch import Tensor

from auglocal_mm.plan import LocalPlan

from .local_step import LocalStep


class Metrics(Protocol):
    """A record of the values of a training step."""

    names: tuple[str, ...]

    def reset(self) -> None:
        """Forget the step before."""

    def update(self, step: LocalStep, loss: Tensor) -> None:
        """Record one module's loss and accuracy."""

    def total_loss(self) -> Tensor:
        """Return the sum of the auxiliary networks' losses."""
        ...


class LocalModel(Protocol):
    """A model that runs its local modules one by one (``LocalImageClassifier``)."""

    plan: LocalPlan
    local_metrics: Metrics

    def local_steps(self, inputs: Any, data_samples: Any,
                    precision: Callable[[], AbstractContextManager] = nullcontext,
                    ) -> Iterator[LocalStep]:
        """Run the local modules in depth order, with a boundary after each."""
        ...

    def parse_losses(self, losses: dict[str, Tensor]) -> tuple[Tensor, dict[str, Tensor]]:
        """Turn a loss dict into the loss to train by and values for the log."""
        ...


def named(model: LocalModel, module: int) -> str:
    """Return what errors call a local module."""
    last = ' (the head)' if module == model.plan.modules - 1 else ''
    return f'local module {model.local_metrics.names[module]}{last}'
