"""The optimizer wrapper that counts one step for many backward passes."""
from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import Any

import torch
from mmengine.optim import OptimWrapper
from torch import Tensor, nn
from torch.optim import Optimizer

from auglocal_mm.execution import Listener
from auglocal_mm.models import LocalTraining
from auglocal_mm.registry import OPTIM_WRAPPERS
from auglocal_mm.validation import Faults, check_choice

from .optim_settings import DTYPES, check_clipping, check_counts, check_precision
from .update_guard import UpdateGuard


@OPTIM_WRAPPERS.register_module()
class AugLocalOptimWrapper(OptimWrapper):
    """Optimizer wrapper for local learning, in full or mixed precision.

    A training step has one backward pass per local module and one optimizer step.
    The wrapper scales every local loss alike and increments its count once. With any
    other model it behaves like mmengine's ``OptimWrapper``.

    Args:
        optimizer: The optimizer over all parameters.
        dtype: ``None`` for full precision, ``'bfloat16'`` or ``'float16'`` for
            autocast, on an accelerator or on the CPU.
        nonfinite: What to do with an update from a loss, a gradient or a gradient norm
            that is nan or infinite. ``'stop'`` raises before the weights are touched.
            ``'skip'`` leaves the whole (accumulated) update out, puts running
            statistics back and counts it in `skipped_updates`. Where a loss scaler is
            at work (float16), it decides in its own way.
        loss_scale: For ``'float16'`` only: ``'dynamic'`` (its default), a
            fixed factor, or a dict of ``torch.amp.GradScaler`` settings.
        **kwargs: ``accumulative_counts`` and ``clip_grad``, as in mmengine. ``clip_grad`` may
            have ``per_module=True``: each local module's gradients are clipped by their own
            norm, so a large one in one module does not shrink those of the others.

    Raises:
        TypeError: From a step that clips by module, if the model is not trained locally.
        ValueError: A setting is impossible, or there is a loss scale without float16.
        NonFiniteError: From a step, see `nonfinite`.
    """

    def __init__(self, optimizer: Optimizer, *, dtype: str | torch.dtype | None = None,
                 loss_scale: str | float | dict[str, Any] | None = None,
                 nonfinite: str = 'stop', **kwargs: Any) -> None:
        faults = Faults('AugLocalOptimWrapper')
        check_precision(faults, dtype, loss_scale)
        check_counts(faults, kwargs.get('accumulative_counts', 1))
        check_clipping(faults, kwargs.get('clip_grad'))
        check_choice(faults, 'nonfinite', nonfinite, ('stop', 'skip'))
        faults.raise_if_any()
        self._clips_modules = False
        if kwargs.get('clip_grad') is not None:
            kwargs['clip_grad'] = dict(kwargs['clip_grad'])  # mmengine takes `type` out of it.
            self._clips_modules = kwargs['clip_grad'].pop('per_module', False)
        super().__init__(optimizer, **kwargs)
        self._norm: Tensor | None = None
        self._clips_norm = bool(self.clip_grad_kwargs) and self.grad_name == 'grad_norm'
        if self._clips_norm:
            self.clip_func: Any = self._measured(self.clip_func)
        self.dtype = DTYPES[dtype] if isinstance(dtype, str) else dtype
        self.device_type = optimizer.param_groups[0]['params'][0].device.type
        self._fixed_scale = float(loss_scale) if isinstance(loss_scale, (int, float)) else None
        settings = dict(loss_scale) if isinstance(loss_scale, dict) else {}
        if self._fixed_scale is not None:
            settings['init_scale'] = self._fixed_scale
        self.loss_scaler = torch.amp.GradScaler(
            self.device_type, enabled=self.dtype is torch.float16, **settings)
        self._guard = UpdateGuard(
            optimizer, skips=nonfinite == 'skip', enabled=not self.loss_scaler.is_enabled())

    @property
    def skipped_updates(self) -> int:
        """Number of weight updates left out so far because something was not finite."""
        return self._guard.skipped

    @property
    def listeners(self) -> tuple[Listener, ...]:
        """What the wrapper has to hear of each step of immediate execution."""
        return (self._guard,)

    def precision(self) -> AbstractContextManager:
        """Return the context of a forward computation; backward passes stay outside it."""
        if self.dtype is None:
            return nullcontext()
        return torch.autocast(self.device_type, dtype=self.dtype)

    def backward_local(self, loss: Tensor) -> None:
        """Run the backward pass of one local loss (a scalar) without counting a step."""
        self.loss_scaler.scale(self.scale_loss(loss)).backward()

    def finish_step(self) -> None:
        """Count the step whose backward passes are done; update the weights if due."""
        self._inner_count += 1
        if self.should_update():
            self.step()
            self.zero_grad()

    def backward(self, loss: Tensor, **kwargs: Any) -> None:
        """Run the backward pass of a whole step, for models with a single loss."""
        self._guard.observe('the model', loss)
        self.loss_scaler.scale(loss).backward(**kwargs)
        self._inner_count += 1

    def step(self, **kwargs: Any) -> None:
        """Clip gradients if configured and step the optimizer, as in mmengine.

        Raises:
            NonFiniteError: Something is not finite, and `nonfinite` is ``'stop'``.
        """
        # A limit on values turns infinite gradients into finite ones, so look before.
        if not self._clips_norm and not self._guard.passes():
            return
        self._norm = None
        if self.clip_grad_kwargs:
            self.loss_scaler.unscale_(self.optimizer)
            self._clip_grad()
        if self._clips_norm and not self._guard.passes(self._norm):
            return
        self.loss_scaler.step(self.optimizer, **kwargs)
        self.loss_scaler.update(self._fixed_scale)

    def _measured(self, clip: Callable[..., Tensor]) -> Callable[..., Tensor]:
        """Return the same function, which also keeps the norm; it clips by module if asked to."""
        def run(parameters: list[nn.Parameter], **kwargs: Any) -> Tensor:
            groups = by_module(self._guard.model, parameters) if self._clips_modules else [
                parameters]
            norms = [clip(group, **kwargs) for group in groups]
            self._norm = norms[0] if len(norms) == 1 else torch.linalg.vector_norm(
                torch.stack(norms), kwargs.get('norm_type', 2.0))
            return self._norm
        return run

    @contextmanager
    def optim_context(self, model: nn.Module) -> Iterator[None]:
        """Enter the context of a whole forward pass, for models with a single loss."""
        self._guard.begin(model)
        with super().optim_context(model), self.precision(), self._guard.watching():
            yield

    def state_dict(self) -> dict[str, Any]:
        """Return the optimizer's state, with the loss scaler's if one is in use.

        Raises:
            NonFiniteError: A weight is nan or infinite, so that nothing is to be saved.
        """
        self._guard.require_finite_weights()
        state = super().state_dict()
        if self.loss_scaler.is_enabled():
            state['loss_scaler'] = self.loss_scaler.state_dict()
        return state

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Load what :meth:`state_dict` returned; the precision may have changed since."""
        state = dict(state_dict)
        scaler = state.pop('loss_scaler', None)
        if scaler and self.loss_scaler.is_enabled():
            self.loss_scaler.load_state_dict(scaler)
        super().load_state_dict(state)


def by_module(model: Any, parameters: list[nn.Parameter]) -> list[list[nn.Parameter]]:
    """Sort parameters by the local module that trains them; groups are never empty.

    Raises:
        TypeError: The model is not trained locally.
    """
    if not isinstance(model, LocalTraining):
        raise TypeError(f'clip_grad.per_module needs a model that is trained locally, got '
                        f'{type(model).__name__}; leave it out')
    owners = {id(parameter): module for module in range(model.plan.modules)
              for parameter in model.module_parameters(module)}
    groups: dict[int, list[nn.Parameter]] = {}
    for parameter in parameters:
        # What was frozen while gradients accumulated belongs to nobody now.
        groups.setdefault(owners.get(id(parameter), -1), []).append(parameter)
    return list(groups.values())
