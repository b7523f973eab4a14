"""Stops, or skips, a weight update whose losses or gradients are not finite.

Losses are watched on their device. Only the decision, once per weight update, waits
for it.
"""
from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass

import torch
import torch.distributed as dist
from mmengine.logging import MessageHub
from torch import Tensor, nn
from torch.nn.parallel import DistributedDataParallel

from auglocal_mm.validation.errors import UserError


class NonFiniteError(UserError):
    """A loss or a gradient is nan or infinite; no weight was changed by it.

    If modules step one by one, those before the one that it names have stepped already.
    """


FIX = ('lower the learning rate, clip gradients (optim_wrapper.clip_grad=dict(max_norm=…)) or '
       "check the images")
SKIP = "set optim_wrapper.nonfinite='skip' to leave such updates out"


@dataclass(frozen=True)
class _Seen:
    """One loss of the coming update."""
    iteration: int
    name: str
    loss: Tensor


class LossWatch:
    """The losses that the coming weight update is computed from.

    Attributes:
        flag: A scalar on the losses' device, or ``None`` before the first loss: 0 while
            all of them are finite, else nan. Ranks add theirs up.
    """

    def __init__(self) -> None:
        self.flag: Tensor | None = None
        self._seen: list[_Seen] = []

    def observe(self, name: str, loss: Tensor, flag: Tensor | None = None) -> None:
        """Add one loss (a scalar).

        Args:
            name: Whose loss it is, e.g. ``local module layer1.0``.
            loss: The loss; its graph is not kept.
            flag: Its flag, if ranks have added theirs up already.
        """
        loss = loss.detach()
        # 0 stays 0, while nan and inf become nan; nothing waits for the device.
        flag = loss * 0 if flag is None else flag
        self.flag = flag if self.flag is None else self.flag + flag
        self._seen.append(_Seen(current_iteration(), name, loss))

    def clear(self) -> None:
        """Start with the next update."""
        self.flag = None
        self._seen.clear()

    def reason(self, parameters: Sequence[tuple[str, nn.Parameter]] = (),
               norm: Tensor | None = None) -> str:
        """Say what is not finite: the first loss, else the norm, else the first gradient.

        Args:
            parameters: The parameters that have gradients, by name.
            norm: Norm of all gradients, if they were clipped by it.
        """
        for seen in self._seen:
            if not torch.isfinite(seen.loss).all():
                return _loss_reason(seen)
        where = f'at iteration {current_iteration()}'
        if self.flag is not None and not torch.isfinite(self.flag):
            return f'a loss on another rank is not finite {where}'
        if norm is not None:
            return (f'the norm of all gradients is {norm.item()} {where}, although all losses are '
                    'finite')
        bad = [name for name, parameter in parameters
               if parameter.grad is not None and not torch.isfinite(parameter.grad).all()]
        return (f'the gradient of {bad[0]} ({len(bad)} of {len(parameters)} parameters) is '
                f'not finite {where}, although all losses are')


def _loss_reason(seen: _Seen) -> str:
    return f'the loss of {seen.name} is {seen.loss.item()} at iteration {seen.iteration}'


def current_iteration() -> int:
    """Return the number of the running iteration, from 1, as mmengine logs it."""
    return int(MessageHub.get_current_instance().get_info('iter', 0) or 0) + 1


_WATCH: ContextVar[LossWatch | None] = ContextVar('loss watch', default=None)


@contextmanager
def watching(watch: LossWatch) -> Iterator[None]:
    """Let joint losses be watched by whoever steps the optimizer."""
    token = _WATCH.set(watch)
    try:
        yield
    finally:
        _WATCH.reset(token)


def check_joint(losses: Sequence[tuple[str, Tensor]]) -> None:
    """Watch the losses of joint execution, or check them at once if nobody watches.

    Under torch's data parallel wrapper all ranks decide alike. Autocast to float16 is
    left to the loss scaler.

    Raises:
        NonFiniteError: A loss is nan or infinite.
    """
    if not losses or not torch.is_grad_enabled() or _scales(losses[0][1].device.type):
        return
    # Stacked, so that ranks exchange one message.
    values = torch.stack([loss.detach() for _, loss in losses])
    flags = values * 0
    if DistributedDataParallel._get_active_ddp_module() is not None:
        dist.all_reduce(flags)
    watch = _WATCH.get()
    watched = LossWatch() if watch is None else watch
    for (name, loss), flag in zip(losses, flags, strict=True):
        watched.observe(name, loss, flag)
    if watch is None and not bool(torch.isfinite(flags).all()):
        raise NonFiniteError(f"{watched.reason()}; no weight was changed. {_capital(FIX)}; "
                             f"with optim_wrapper.type='auglocal_mm.AugLocalOptimWrapper', you "
                             f'can {SKIP}')


def _scales(device_type: str) -> bool:
    if not torch.is_autocast_enabled(device_type):
        return False
    # With float16 an overflow is the scaler's daily work, not a fault.
    return torch.get_autocast_dtype(device_type) is torch.float16


def _capital(text: str) -> str:
    return text[0].upper() + text[1:]


def stop(reason: str, *, per_module: bool = False) -> NonFiniteError:
    """Return the error for an update that must not happen.

    Args:
        reason: What is not finite.
        per_module: Whether the update is one module's, so that those before it have stepped.
    """
    kept = ('no weight of it was changed, while modules before it have stepped '
            '(step_per_module=True)' if per_module else 'no weight was changed')
    return NonFiniteError(f'{reason}; {kept}. {_capital(FIX)}, or {SKIP}')


def gradient_size(gradients: Sequence[Tensor]) -> Tensor | None:
    """Return the sum of all gradients' norms: finite only if every value is.

    It is not finite either where large values overflow; then :func:`are_finite` decides.
    """
    return torch.stack(torch._foreach_norm(list(gradients))).sum() if gradients else None


def are_finite(tensors: Iterable[Tensor]) -> bool:
    """Tell whether all values of all tensors are finite; exact, and slower."""
    return all(bool(torch.isfinite(tensor).all()) for tensor in tensors)


class BufferBackup:
    """The buffers of a model before an update, such as running statistics."""

    def __init__(self, model: nn.Module) -> None:
        self._saved = [(buffer, buffer.clone()) for buffer in model.buffers()]

    @torch.no_grad()
    def restore(self, only: Iterable[Tensor] | None = None) -> None:
        """Put the values back.

        Args:
            only: The buffers to restore; ``None`` for all.
        """
        wanted = None if only is None else {id(buffer) for buffer in only}
        for buffer, value in self._saved:
            if wanted is None or id(buffer) in wanted:
                buffer.copy_(value)
