"""What wraps a local model on a rank: the checks and the steps that all wrappers share."""
from __future__ import annotations

from typing import Any

import torch
import torch.distributed as dist
from torch import nn

from auglocal_mm.models import LocalTraining

from .together import broadcast, together


class RankWrapper(nn.Module):
    """A local model on one of several ranks; subclasses say how it trains.

    Args:
        module: A model with :class:`~auglocal_mm.models.LocalTraining`, on its device.

    Raises:
        TypeError: The model is not trained locally.
        RuntimeError: There is no process group.
    """

    module: LocalTraining

    def __init__(self, module: nn.Module) -> None:
        name = type(self).__name__
        if not isinstance(module, LocalTraining):
            raise TypeError(f'{name} wraps a LocalImageClassifier or a LocalDetector, got '
                            f'{type(module).__name__}; for another model leave model_wrapper_cfg '
                            'out')
        if not dist.is_initialized():
            raise RuntimeError(f'{name} needs a process group; start with tools/dist_train.sh, or '
                               'without a launcher leave the wrapper out')
        super().__init__()
        self.module = module

    def _make_equal(self) -> None:
        """Send the first rank's weights to all others, which may have been seeded differently."""
        every = [*self.module.parameters(), *self.module.buffers()]
        for first, tensors in together((tensor, 0) for tensor in every):
            broadcast(tensors, src=first)

    def val_step(self, data: Any) -> Any:
        """Run the model's validation step."""
        return self.module.val_step(data)

    def test_step(self, data: Any) -> Any:
        """Run the model's test step."""
        return self.module.test_step(data)

    def forward(self, inputs: Any, data_samples: Any = None, mode: str = 'tensor') -> Any:
        """Run the model's forward pass.

        Raises:
            RuntimeError: A loss with graph is requested. Its backward pass would go
                unnoticed, and the ranks would drift apart.
        """
        if mode == 'loss' and torch.is_grad_enabled():
            raise RuntimeError(f'{type(self).__name__} trains through train_step only; a backward '
                               'pass of your own would leave gradients unsynchronised')
        return self.module(inputs, data_samples, mode)
