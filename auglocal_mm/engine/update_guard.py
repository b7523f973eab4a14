"""Decides whether a weight update may happen: only from finite losses and gradients.

An update is the whole model's, or one module's where modules step one by one
(``step_per_module``). Then each is judged by its own losses and gradients: no module's update
depends on another's.
"""
from __future__ import annotations

import logging
import weakref
from collections.abc import Iterable
from contextlib import AbstractContextManager, nullcontext
from typing import Any

import torch
from mmengine.logging import print_log
from mmengine.model import is_model_wrapper
from torch import Tensor, nn
from torch.optim import Optimizer

from auglocal_mm.execution import Listener, ModuleDone, Order, StepBegin
from auglocal_mm.execution.nonfinite import (
    BufferBackup,
    LossWatch,
    NonFiniteError,
    are_finite,
    gradient_size,
    stop,
    watching,
)


class UpdateGuard(Listener):
    """Watches the losses of an update and judges it, with one look at the device.

    In immediate execution it hears of every module's loss as a listener.

    Args:
        optimizer: Holds the parameters whose gradients are judged.
        skips: Whether a bad update is left out; otherwise it is an error.
        enabled: Whether it judges at all.
        per_module: Whether each module's update is judged by itself.

    Attributes:
        skips: Whether a bad update is left out.
        skipped: Number of updates that were left out.
    """

    order = Order.WATCH

    def __init__(self, optimizer: Optimizer, *, skips: bool, enabled: bool,
                 per_module: bool = False) -> None:
        self.skipped = 0
        self._optimizer = optimizer
        self.skips = skips
        self._enabled = enabled
        self._per_module = per_module
        #: Of the updates that are still to be judged, oldest first.
        self._watches = [LossWatch()]
        self._backup: BufferBackup | None = None
        self._model: weakref.ref[nn.Module] | None = None

    @property
    def model(self) -> nn.Module | None:
        """The model of the latest step, if it still exists."""
        return None if self._model is None else self._model()

    def begin(self, model: nn.Module) -> None:
        """Prepare for a step of `model`, before its forward pass."""
        bare: Any = model.module if is_model_wrapper(model) else model
        self._model = weakref.ref(bare)
        if self.skips and self._enabled and self._backup is None:
            self._backup = BufferBackup(bare)

    def begin_step(self, event: StepBegin) -> None:
        """Prepare for a step."""
        if self._per_module:  # the step before may have ended with an exception
            self._watches.clear()
            self._backup = None
        self.begin(event.model)

    def after_module(self, event: ModuleDone) -> None:
        """Watch a module's loss, and hand the flag on to whoever averages over ranks."""
        if event.trained:
            if self._per_module:
                self._watches.append(LossWatch())
            event.flag = self.observe(event.name, event.loss)

    def end_step(self) -> None:
        """Forget what only this step could have put back."""
        if self._per_module:
            self._backup = None

    def observe(self, name: str, loss: Tensor) -> Tensor | None:
        """Watch the loss of a named module; return the flag of all losses so far."""
        if not self._enabled:
            return None
        self._watches[-1].observe(name, loss)
        return self._watches[-1].flag

    def watching(self) -> AbstractContextManager[None]:
        """Return a context in which joint losses are watched here."""
        return watching(self._watches[-1]) if self._enabled else nullcontext()

    def passes(self, update: Any, *, norm: Tensor | None = None,
               modules: Iterable[int] = ()) -> bool:
        """Judge the coming update, and start with the next one.

        Args:
            update: Holds the parameters of the update in ``param_groups``: the optimizer, or a
                part of it.
            norm: Norm of all its gradients, if it was computed already.
            modules: The modules that are updated, if not all are.

        Raises:
            NonFiniteError: It is bad, and bad updates are not left out.
        """
        if not self._enabled:
            return True
        watch = self._watches[0]
        flags = [] if watch.flag is None else [watch.flag]
        gradients = _gradients(update)
        size = gradient_size(gradients) if norm is None else norm
        values = flags if size is None else [*flags, size]
        good = not values or bool(torch.stack([torch.isfinite(value) for value in values]).all())
        if not good and norm is None:  # the sizes may only be too large to add up
            good = are_finite([*flags, *gradients])
        reason = '' if good else watch.reason(self._named_parameters(update), norm)
        if not good and self.skips:
            self._skip(reason, modules)
        # Before an error as well: whoever catches it may go on with another batch.
        if self._per_module:
            self._watches.pop(0)
        else:
            watch.clear()
            self._backup = None
        if not good and not self.skips:
            raise stop(reason, per_module=self._per_module)
        return good

    def require_finite_weights(self) -> None:
        """Refuse to hand out a state that belongs to weights that are not finite.

        Raises:
            NonFiniteError: A weight is nan or infinite.
        """
        if not self._enabled:
            return
        bad = [name for name, parameter in self._named_parameters(self._optimizer)
               if not torch.isfinite(parameter).all()]
        if bad:
            raise NonFiniteError(
                f'{bad[0]} and {len(bad) - 1} other parameters hold values that are not finite, '
                'so no checkpoint is written; the last update was too large. Lower the learning '
                'rate and resume from the checkpoint before')

    def _skip(self, reason: str, modules: Iterable[int]) -> None:
        if self._backup is not None:
            model: Any = self.model
            self._backup.restore([buffer for module in modules
                                  for buffer in model.module_buffers(module)]
                                 if self._per_module else None)
        self.skipped += 1
        if self.skipped & (self.skipped - 1) == 0:  # 1, 2, 4, 8, …
            print_log(f"{reason}; this update is left out (nonfinite='skip'), {self.skipped} so "
                      'far', logger='current', level=logging.WARNING)

    def _named_parameters(self, update: Any) -> list[tuple[str, nn.Parameter]]:
        model = self.model
        names = {} if model is None else {
            id(parameter): name for name, parameter in model.named_parameters()}
        held = [parameter for group in update.param_groups for parameter in group['params']]
        return [(names.get(id(parameter), f'parameter {index}'), parameter)
                for index, parameter in enumerate(held)]


def _gradients(update: Any) -> list[Tensor]:
    return [parameter.grad for group in update.param_groups
            for parameter in group['params'] if parameter.grad is not None]
