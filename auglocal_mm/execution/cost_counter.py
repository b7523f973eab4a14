"""Counting what parts of a network cost, on tensors that have shapes and no memory."""
from __future__ import annotations

import copy
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, TypeVar

import torch
from torch import Tensor, nn
from torch._subclasses.fake_tensor import FakeTensorMode
from torch.autograd.graph import saved_tensors_hooks
from torch.utils.flop_counter import FlopCounterMode

from auglocal_mm.plan import Cost

T = TypeVar('T')
M = TypeVar('M', bound=nn.Module)


class _Mode(FakeTensorMode):
    """A mode that stays the same in deep copies of its tensors, which refer to it."""

    def __deepcopy__(self, memo: dict[int, Any]) -> _Mode:
        return self


class CostCounter:
    """Runs parts of a network on fake tensors and records what they would cost.

    Nothing is allocated, computed or drawn at random; only shapes are worked out. A piece of
    memory has the same number in everything that one counter counts.
    """

    def __init__(self) -> None:
        # Settings that a network holds as plain tensors are used as they are.
        self._mode = _Mode(allow_non_fake_inputs=True)
        self._weights: set[int] = set()
        self._numbers: dict[int, int] = {}
        self._alive: list[Any] = []

    @contextmanager
    def building(self) -> Iterator[None]:
        """Make every tensor that is created inside a ``with`` block a fake one."""
        with self._mode, warnings.catch_warnings():
            # A deep copy of a block asks each tensor for its address first.
            warnings.filterwarnings('ignore', message='Accessing the data pointer of FakeTensor')
            yield

    def copy(self, module: M) -> M:
        """Return a copy of a module whose weights are fake, and which recomputes nothing."""
        tensors = [*module.parameters(), *module.buffers()]
        # Only shapes are asked for, which a mode that guards values would not know.
        with torch._C.DisableTorchFunction():
            fakes = {id(each): self._mode.from_tensor(each) for each in tensors}
        twin = copy.deepcopy(module, fakes)
        part: Any
        for part in twin.modules():
            # Checkpointing shrinks all parts alike, and its backward passes cannot be counted.
            if hasattr(part, 'with_cp'):
                part.with_cp = False
        return self.exclude(twin)

    def exclude(self, module: M) -> M:
        """Do not count a module's weights, which exist whatever is kept."""
        for each in [*module.parameters(), *module.buffers()]:
            self._weights.add(self._key(each))
        return module

    def count(self, run: Callable[[], T]) -> tuple[T, Cost]:
        """Run a part of a network.

        Returns:
            What it returns, and what it costs. A part that keeps nothing has no backward pass;
            others compute two gradients in it, each at the cost of the forward pass.
        """
        kept: dict[int, int] = {}

        def note(tensor: Tensor) -> None:
            kept.update(self.pieces(tensor))

        with self._mode, FlopCounterMode(display=False) as flops, saved_tensors_hooks(
                note, _never):
            result = run()
        # The counter counts additions as well.
        forward = flops.get_total_flops() // 2
        return result, Cost(kept=frozenset(kept.items()), flops=forward * (3 if kept else 1))

    def pieces(self, tensor: Tensor) -> dict[int, int]:
        """Return the piece of memory that a tensor is a view of, as its number and bytes."""
        key = self._key(tensor)
        if key in self._weights:
            return {}
        number = self._numbers.setdefault(key, len(self._numbers))
        return {number: tensor.untyped_storage().nbytes()}

    def _key(self, tensor: Tensor) -> int:
        storage = tensor.untyped_storage()
        # Kept alive, or another storage could get its address.
        self._alive.append(storage)
        return storage._cdata


def _never(packed: None) -> Tensor:
    raise AssertionError('no backward pass is run')
