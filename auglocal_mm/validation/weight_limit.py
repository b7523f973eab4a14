"""Stops the construction of a network that is too large, before its memory is taken."""
from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch.overrides import TorchFunctionMode

#: Most values in the weights of what we build: 1 GB in float32, some seconds of initialisation.
MAX_VALUES = 250_000_000
#: Most tensors: some seconds as well, however small each is.
MAX_TENSORS = 100_000
_FACTORIES = (torch.empty, torch.zeros, torch.ones, torch.full, torch.rand, torch.randn)


class WeightLimit(TorchFunctionMode):
    """Counts the tensors made inside a ``with`` block and raises before they are too many.

    Args:
        owner: What is built, for the message.
        remedy: What to lower, for the message.
        values: Most values of all tensors together.

    Raises:
        ValueError: A limit is passed.
    """

    def __init__(self, owner: str, *, remedy: str, values: int = MAX_VALUES) -> None:
        super().__init__()
        self.owner, self.remedy, self.values = owner, remedy, values
        self.made = self.tensors = 0

    def __torch_function__(self, func: Callable, types: Any, args: Any = (),
                           kwargs: Any = None) -> Any:
        """Count a tensor before it is made."""
        kwargs = kwargs or {}
        if func in _FACTORIES:
            self._count(func(*args, **{**kwargs, 'device': 'meta'}).numel())
        return func(*args, **kwargs)

    def _count(self, values: int) -> None:
        self.made += values
        self.tensors += 1
        if self.made > self.values:
            raise ValueError(f'{self.owner} must have at most {self.values:,} weights, got '
                             f'{self.made:,} or more; lower {self.remedy}')
        if self.tensors > MAX_TENSORS:
            raise ValueError(f'{self.owner} must have at most {MAX_TENSORS:,} tensors of weights, '
                             f'got more; lower {self.remedy}')
