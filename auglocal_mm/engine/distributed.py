"""Data parallel training of local modules; gradients are averaged as they arrive."""
from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from itertools import groupby
from typing import Any

import torch
import torch.distributed as dist
from mmengine.optim import OptimWrapper
from torch import Tensor, nn

from auglocal_mm.execution import Listener, LocalOptimizer, ModuleDone, Order, StepBegin
from auglocal_mm.models import LocalTraining
from auglocal_mm.registry import MODEL_WRAPPERS

from .rank_wrapper import RankWrapper


@MODEL_WRAPPERS.register_module()
class LocalDistributedDataParallel(RankWrapper):
    """One replica per rank; a module's all-reduce starts right after its backward pass.

    Gradients are averaged once in every step that updates weights, while later
    modules are still running. Like mmengine's default, it does not synchronise
    buffers; use mmengine's ``SyncBuffersHook`` or ``sync_bn`` if running statistics
    must agree.

    A parameter without a gradient counts as one with a gradient of 0, as long as another rank
    has one for it; in detectors this is normal. Without any, it keeps none and its optimizer
    leaves it alone, as on a single device.

    Args:
        module: A model with :class:`~auglocal_mm.models.LocalTraining`, such as
            ``LocalImageClassifier`` or ``LocalDetector``, on its device.

    Raises:
        TypeError: The model is not trained locally.
        RuntimeError: There is no process group.
    """

    def __init__(self, module: nn.Module) -> None:
        super().__init__(module)
        self._make_equal()
        self._average = GradientAverage(self.module)

    def train_step(self, data: Any, optim_wrapper: OptimWrapper) -> dict[str, Tensor]:
        """Run the model's training step, in which :class:`GradientAverage` listens.

        Raises:
            TypeError: The optimizer wrapper would run one backward pass for all modules.
        """
        if not isinstance(optim_wrapper, LocalOptimizer):
            raise TypeError(_NEEDS_WRAPPER.format(type(optim_wrapper).__name__))
        # Only during the step: whoever trains the bare model later averages nothing.
        with self.module.listeners.also(self._average):
            return self.module.train_step(data, optim_wrapper)


_NEEDS_WRAPPER = (
    "LocalDistributedDataParallel needs optim_wrapper.type='auglocal_mm.AugLocalOptimWrapper', "
    'got {}; with another wrapper use mmengine\'s own MMDistributedDataParallel')


@dataclass
class _Bucket:
    """Gradients of one dtype that are being summed over ranks.

    Attributes:
        work: The all-reduce.
        flat: The gradients one after another, and then how many ranks have each.
        parameters: Their parameters.
        flag: A scalar that is nan if this rank must not update its weights.
    """
    work: dist.Work
    flat: Tensor
    parameters: list[nn.Parameter]
    flag: Tensor | None

    def finish(self, ranks: int) -> None:
        """Wait for the sums, and put the averages in place."""
        self.work.wait()
        count = len(self.parameters)
        sums, counts = self.flat[:-count - 1], self.flat[-count - 1:-1]
        # One look at the device, and only where a gradient is missing here.
        missing = any(parameter.grad is None for parameter in self.parameters)
        present = counts.tolist() if missing else [1.0] * count
        sums.div_(ranks)
        parts = sums.split([parameter.numel() for parameter in self.parameters])
        for parameter, part, holders in zip(self.parameters, parts, present, strict=True):
            average = part.view_as(parameter)
            if parameter.grad is not None:
                parameter.grad.copy_(average)
            elif holders > 0:
                parameter.grad = average.clone()
        if self.flag is not None:
            self.flag.add_(self.flat[-1])


class GradientAverage(Listener):
    """Averages gradients over ranks, module by module, in steps that update weights.

    Args:
        model: The model whose modules are averaged.
        group: The ranks that hold these modules; ``None`` for all ranks.
    """

    order = Order.AVERAGE

    def __init__(self, model: LocalTraining, group: dist.ProcessGroup | None = None) -> None:
        self._model = model
        self._group = group
        self._updates = False
        self._buckets: dict[int, list[_Bucket]] = {}

    def begin_step(self, event: StepBegin) -> None:
        """Forget what a step that ended with an exception left behind."""
        self._updates = event.updates
        self._buckets.clear()

    def after_module(self, event: ModuleDone) -> None:
        """Start to sum the gradients that are final now over ranks.

        The event's flag, a scalar that is nan if this rank must not update its weights,
        travels with the gradients and then is nan on all ranks.
        """
        if self._updates and event.trained:
            self._buckets[event.module] = self._reduce(
                [parameter for module in event.trained
                 for parameter in self._model.module_parameters(module)], event.flag)
            event.wait = partial(self._finish, event.module)

    def before_update(self) -> None:
        """Wait for every sum and put the averages in place."""
        if not self._updates:
            return
        # What was frozen while gradients accumulated is still stepped with those it got.
        self._buckets[-1] = self._reduce(self._model.trainability.take_left_over())
        for module in list(self._buckets):
            self._finish(module)

    def _finish(self, module: int) -> None:
        for bucket in self._buckets.pop(module, []):
            bucket.finish(dist.get_world_size(self._group))

    def _reduce(self, parameters: list[nn.Parameter],
                flag: Tensor | None = None) -> list[_Bucket]:
        buckets = []
        ordered = sorted(parameters, key=lambda parameter: str(parameter.dtype))
        for _, group in groupby(ordered, key=lambda parameter: parameter.dtype):
            members = list(group)
            # Ranks must agree on the message, whichever gradients they have.
            gradients = [torch.zeros_like(each) if each.grad is None else each.grad
                         for each in members]
            held = gradients[0].new_tensor([float(each.grad is not None) for each in members])
            shared = held.new_zeros(1) if flag is None else flag.reshape(1).to(held.dtype)
            # One message per module and dtype; many small ones would wait for each other.
            flat = torch.cat([*(gradient.flatten() for gradient in gradients), held, shared])
            work = dist.all_reduce(flat, group=self._group, async_op=True)
            buckets.append(_Bucket(work, flat, members, flag))
        return buckets
