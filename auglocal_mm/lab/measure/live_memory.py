"""Live memory: every byte that tensors hold during a training step, and what it is held for."""
from __future__ import annotations

import weakref
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.optim import Optimizer
from torch.optim.optimizer import (
    register_optimizer_step_post_hook,
    register_optimizer_step_pre_hook,
)
from torch.utils._python_dispatch import TorchDispatchMode

from .memory import BYTES_PER_MIB

#: What bytes are held for, in the order of tables and pictures. Activations are what forward
#: passes make, also where they run a second time. The rest is what backward passes and the
#: optimizer make for a moment, the gradients of activations above all, and the batch.
PARTS = ('parameters', 'buffers', 'optimizer state', 'gradients', 'activations', 'rest')


@dataclass(frozen=True)
class LivePeak:
    """The moment of a training step at which most bytes are alive.

    Attributes:
        parts_mb: Part of :data:`PARTS` -> mebibytes at that moment.
        made_mb: Those that the step itself has made, in mebibytes: without parameters, buffers,
            optimizer state and batch, which existed before.
    """
    parts_mb: dict[str, float]
    made_mb: float

    @property
    def total_mb(self) -> float:
        """Mebibytes of everything."""
        return sum(self.parts_mb.values())


@dataclass(eq=False)
class _Held:
    """A storage that is alive: how large it is, and for what."""
    size: int
    part: str


class LiveMemory(TorchDispatchMode):
    """Counts, while entered, the bytes of all storages that are alive.

    A storage counts from the operation that makes it until its last tensor is gone:
    activations, what is computed a second time, gradients of both kinds, and results that
    nothing keeps. Of what existed before, only what is given counts. The inside of an operator
    does not, such as the workspace of a convolution. The count depends on neither machine nor
    allocator.

    Its total is that of torch's own ``MemTracker``, which cannot be used: it takes the second
    call of a module for the next step unless a larger module calls it, and models that are
    trained in parts, and heads on pyramids, call modules so. It also visits every module at
    every operation, which a network of thousands of layers does not allow.

    Args:
        existing: Part of :data:`PARTS` -> tensors that existed before and count.

    Attributes:
        live_bytes: Number of bytes now.
        parts: Those bytes by part.
        made: Number of storages that were counted so far.
        peak_bytes: Largest number of bytes at any time.
        peak_parts: These by part.
    """

    def __init__(self, existing: Mapping[str, Iterable[Tensor]] | None = None) -> None:
        super().__init__()
        self.live_bytes = 0
        self.made = 0
        self._updates = False
        self.parts = dict.fromkeys(PARTS, 0)
        # Weakly, because an address may belong to another storage later.
        self._held: weakref.WeakKeyDictionary[Any, _Held] = weakref.WeakKeyDictionary()
        self._before: weakref.WeakSet[Any] = weakref.WeakSet()
        for part, tensors in (existing or {}).items():
            for tensor in tensors:
                self._count(tensor, part)
        self.peak_bytes, self.peak_parts = self.live_bytes, dict(self.parts)

    def __torch_dispatch__(self, function: Any, types: Any, arguments: tuple[Any, ...] = (),
                           settings: dict[str, Any] | None = None) -> Any:
        """Run an operation, and count what it has made."""
        results = function(*arguments, **(settings or {}))
        made = [tensor for tensor in tensors_in(results) if not self._knows(tensor)]
        if made:
            # Whatever comes in without having been made here existed before.
            self._before.update(tensor.untyped_storage()
                                for tensor in tensors_in((arguments, settings or {}))
                                if not self._knows(tensor))
        for tensor in made:
            self._count(tensor, 'activations' if self._runs_forward() else 'rest')
        if self.live_bytes > self.peak_bytes:
            self.peak_bytes, self.peak_parts = self.live_bytes, dict(self.parts)
        return results

    def becomes(self, part: str, tensor: Tensor | None) -> None:
        """Say what a tensor that was made is held for from now on."""
        held = None if tensor is None else self._held.get(tensor.untyped_storage())
        if held is not None:
            self.parts[held.part] -= held.size
            self.parts[part] += held.size
            held.part = part

    @contextmanager
    def optimizers_seen(self) -> Iterator[None]:
        """Count what optimizers make for a moment to the rest, inside a ``with`` block."""
        def begin(*_: Any) -> None:
            self._updates = True

        def end(*_: Any) -> None:
            self._updates = False

        handles = (register_optimizer_step_pre_hook(begin), register_optimizer_step_post_hook(end))
        try:
            yield
        finally:
            for handle in handles:
                handle.remove()

    def _runs_forward(self) -> bool:
        # A forward pass that runs a second time does so inside a backward pass, and differs
        # from it by building a graph.
        return not self._updates and (
            torch._C._current_graph_task_id() == -1 or torch.is_grad_enabled())

    def _knows(self, tensor: Tensor) -> bool:
        storage = tensor.untyped_storage()
        return storage in self._held or storage in self._before

    def _count(self, tensor: Tensor, part: str) -> None:
        if self._knows(tensor):
            return
        storage = tensor.untyped_storage()
        held = _Held(storage.nbytes(), part)
        self._held[storage] = held
        self.made += 1
        self.live_bytes += held.size
        self.parts[part] += held.size
        weakref.finalize(storage, self._release, held)

    def _release(self, held: _Held) -> None:
        self.live_bytes -= held.size
        self.parts[held.part] -= held.size


@contextmanager
def counted(counter: LiveMemory, model: nn.Module) -> Iterator[None]:
    """Enter a counter that knows the gradients of a model and the work of optimizers.

    Args:
        counter: The counter.
        model: What is trained.
    """
    handles = [parameter.register_post_accumulate_grad_hook(
        lambda parameter: counter.becomes('gradients', parameter.grad))
        for parameter in model.parameters() if parameter.requires_grad]
    try:
        with counter, counter.optimizers_seen():
            yield
    finally:
        for handle in handles:
            handle.remove()


def existing(model: nn.Module, optimizers: Iterable[Optimizer], batch: Any,
             ) -> dict[str, list[Tensor]]:
    """Return what exists before a step, by part."""
    parameters = list(model.parameters())
    return {
        'parameters': list(parameters), 'buffers': list(model.buffers()),
        'optimizer state': tensors_in([optimizer.state for optimizer in optimizers]),
        'gradients': [each.grad for each in parameters if each.grad is not None],
        'rest': tensors_in(batch)}


def live_peak(step: Callable[[], Any], *, model: nn.Module,
              optimizers: Iterable[Optimizer] = (), batch: Any = ()) -> LivePeak:
    """Measure the moment of a training step at which most bytes are alive.

    Args:
        step: Runs one whole step. Run it once before, so that the optimizer's first allocation
            is over.
        model: What it trains.
        optimizers: All that hold state of its parameters.
        batch: The batch, of any form.
    """
    counter = LiveMemory(existing(model, optimizers, batch))
    before = counter.live_bytes
    with counted(counter, model):
        step()
    return LivePeak(parts_mb={part: size / BYTES_PER_MIB
                              for part, size in counter.peak_parts.items()},
                    made_mb=(counter.peak_bytes - before) / BYTES_PER_MIB)


def tensors_in(value: Any) -> list[Tensor]:
    """Return the tensors in lists, tuples and dicts."""
    # Every operation asks twice; torch's own tree_iter takes several times as long.
    if isinstance(value, Tensor):
        return [value]
    if isinstance(value, Mapping):
        value = value.values()
    elif not isinstance(value, (list, tuple)):
        return []
    return [tensor for part in value for tensor in tensors_in(part)]
