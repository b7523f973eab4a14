"""Decides whether a weight update may happen: only from finite losses and gradients."""
from __future__ import annotations

import logging
import weakref
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

    Attributes:
        skipped: Number of updates that were left out.
    """

    order = Order.WATCH

    def __init__(self, optimizer: Optimizer, *, skips: bool, enabled: bool) -> None:
        self.skipped = 0
        self._optimizer = optimizer
        self._skips = skips
        self._enabled = enabled
        self._watch = LossWatch()
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
        if self._skips and self._enabled and self._backup is None:
            self._backup = BufferBackup(bare)

    def begin_step(self, event: StepBegin) -> None:
        """Prepare for a step."""
        self.begin(event.model)

    def after_module(self, event: ModuleDone) -> None:
        """Watch a module's loss, and hand the flag on to whoever averages over ranks."""
        if event.trained:
            event.flag = self.observe(event.name, event.loss)

    def observe(self, name: str, loss: Tensor) -> Tensor | None:
        """Watch the loss of a named module; return the flag of all losses so far."""
        if not self._enabled:
            return None
        self._watch.observe(name, loss)
        return self._watch.flag

    def watching(self) -> AbstractContextManager[None]:
        """Return a context in which joint losses are watched here."""
        return watching(self._watch) if self._enabled else nullcontext()

    def passes(self, norm: Tensor | None = None) -> bool:
        """Judge the coming update, and start with the next one.

        Args:
            norm: Norm of all gradients, if it was computed already.

        Raises:
            NonFiniteError: It is bad, and bad updates are not left out.
        """
        if not self._enabled:
            return True
        flags = [] if self._watch.flag is None else [self._watch.flag]
        size = gradient_size(self._gradients()) if norm is None else norm
        values = flags if size is None else [*flags, size]
        good = not values or bool(torch.stack([torch.isfinite(value) for value in values]).all())
        if not good and norm is None:  # the sizes may only be too large to add up
            good = are_finite([*flags, *self._gradients()])
        reason = '' if good else self._watch.reason(self._named_parameters(), norm)
        if not good and self._skips:
            self._skip(reason)
        # Before an error as well: whoever catches it may go on with another batch.
        self._watch.clear()
        self._backup = None
        if not good and not self._skips:
            raise stop(reason)
        return good

    def require_finite_weights(self) -> None:
        """Refuse to hand out a state that belongs to weights that are not finite.

        Raises:
            NonFiniteError: A weight is nan or infinite.
        """
        if not self._enabled:
            return
        bad = [name for name, parameter in self._named_parameters()
               if not torch.isfinite(parameter).all()]
        if bad:
            raise NonFiniteError(
                f'{bad[0]} and {len(bad) - 1} other parameters hold values that are not finite, '
                'so no checkpoint is written; the last update was too large. Lower the learning '
                'rate and resume from the checkpoint before')

    def _gradients(self) -> list[Tensor]:
        return [parameter.grad for group in self._optimizer.param_groups
                for parameter in group['params'] if parameter.grad is not None]

    def _skip(self, reason: str) -> None:
        if self._backup is not None:
            self._backup.restore()
        self.skipped += 1
        if self.skipped & (self.skipped - 1) == 0:  # 1, 2, 4, 8, …
            print_log(f"{reason}; this update is left out (nonfinite='skip'), {self.skipped} so "
                      'far', logger='current', level=logging.WARNING)

    def _named_parameters(self) -> list[tuple[str, nn.Parameter]]:
        model = self.model
        names = {} if model is None else {
            id(parameter): name for name, parameter in model.named_parameters()}
        held = [parameter for group in self._optimizer.param_groups
                for parameter in group['params']]
        return [(names.get(id(parameter), f'parameter {index}'), parameter)
                for index, parameter in enumerate(held)]
