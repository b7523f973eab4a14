"""Live memory: every byte that tensors hold during a training step, whoever holds them."""
from __future__ import annotations

import weakref
from collections.abc import Callable
from typing import Any

from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_iter

from .memory import BYTES_PER_MIB


class LiveMemory(TorchDispatchMode):
    """Counts, while entered, the bytes of all storages that operations make.

    A storage counts from the operation that makes it until its last tensor is gone:
    activations, what is computed a second time, gradients of both kinds, and results that
    nothing keeps. What existed before does not count, nor does the inside of an operator,
    such as the workspace of a convolution. The count depends on neither machine nor
    allocator. (torch's own ``MemTracker`` refuses modules that are called several times in a
    forward pass, as heads on pyramids are.)

    Attributes:
        live_bytes: Number of bytes now.
        peak_bytes: Largest number of bytes at any time.
    """

    def __init__(self) -> None:
        super().__init__()
        self.live_bytes = 0
        self.peak_bytes = 0
        # Weakly, because an address may belong to another storage later.
        self._counted: weakref.WeakSet[Any] = weakref.WeakSet()
        self._before: weakref.WeakSet[Any] = weakref.WeakSet()

    def __torch_dispatch__(self, function: Any, types: Any, arguments: tuple[Any, ...] = (),
                           settings: dict[str, Any] | None = None) -> Any:
        """Run an operation, and count what it has made."""
        for tensor in _tensors((arguments, settings or {})):
            # Whatever comes in without having been made here existed before.
            storage = tensor.untyped_storage()
            if storage not in self._counted:
                self._before.add(storage)
        results = function(*arguments, **(settings or {}))
        for tensor in _tensors(results):
            self._count(tensor)
        return results

    def _count(self, tensor: Tensor) -> None:
        storage = tensor.untyped_storage()
        if storage in self._counted or storage in self._before:
            return
        size = storage.nbytes()
        self._counted.add(storage)
        self.live_bytes += size
        self.peak_bytes = max(self.peak_bytes, self.live_bytes)
        weakref.finalize(storage, self._release, size)

    def _release(self, size: int) -> None:
        self.live_bytes -= size


def _tensors(value: Any) -> list[Tensor]:
    return [leaf for leaf in tree_iter(value) if isinstance(leaf, Tensor)]


def live_peak_mb(step: Callable[[], Any]) -> float:
    """Measure the largest memory of a training step beyond what existed before it.

    Args:
        step: Runs one whole step. Run it once before, so that gradients' and the optimizer's
            first allocation is over.

    Returns:
        Mebibytes (2**20 bytes).
    """
    counter = LiveMemory()
    with counter:
        step()
    return counter.peak_bytes / BYTES_PER_MIB
