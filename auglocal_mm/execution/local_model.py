"""What execution requires of a model that is trained locally."""
from __future__ import annotations

from typing import Any, Protocol

from torch import Tensor, nn

from .chain import Chain
from .events import Listeners
from .local_metrics import LocalMetrics
from .task import Task


class LocalModel(Protocol):
    """A model whose backbone is trained module by module (``LocalTraining``).

    Attributes:
        chain: Its units and its plan.
        task: What it is trained for.
        backbone: Holds the units.
        auxiliary: Auxiliary networks by key.
        listeners: What acts in each of its training steps.
        local_metrics: The record of the latest step.
    """

    chain: Chain
    task: Task
    backbone: nn.Module
    auxiliary: Any
    listeners: Listeners
    local_metrics: LocalMetrics

    def module_parameters(self, module: int) -> list[nn.Parameter]:
        """Return the trainable parameters whose gradients are final after a module."""
        ...

    def module_buffers(self, module: int) -> list[Tensor]:
        """Return the buffers that a module's forward pass may write."""
        ...

    def parse_losses(self, losses: Any) -> tuple[Tensor, dict[str, Tensor]]:
        """Turn a loss dict into the loss to train by and values for the log."""
        ...


def module_name(model: LocalModel, module: int) -> str:
    """Return what errors call a module."""
    plan = model.chain.plan
    last = ' (the head)' if module == plan.modules - 1 else ''
    return f'local module {model.local_metrics.names[module]}{last}'
