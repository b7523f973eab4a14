"""The optimizer wrapper that counts one step for many backward passes."""
from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
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

from .module_steps import ModuleSteps, OptimizerPart
from .optim_settings import (
    DTYPES,
    check_clipping,
    check_counts,
    check_module_steps,
    check_precision,
)
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
        step_per_module: Update each module's weights and free its gradients right after its
            backward pass, so that gradients of all modules never exist together. The update is
            the same, bit for bit. `nonfinite`, loss scaling and ``clip_grad`` then judge each
            module by itself: one that is not finite is left out alone, or stops the step after
            modules before it have stepped.
        loss_scale: For ``'float16'`` only: ``'dynamic'`` (its default), a
            fixed factor, or a dict of ``torch.amp.GradScaler`` settings.
        **kwargs: ``accumulative_counts`` and ``clip_grad``, as in mmengine. ``clip_grad`` may
            have ``per_module=True``: each local module's gradients are clipped by their own
            norm, so a large one in one module does not shrink those of the others.

    Raises:
        TypeError: From a step that clips or steps by module, if the model is not trained locally
            or a wrapper such as torch's data parallel has taken over its backward pass.
        ValueError: A setting is impossible, there is a loss scale without float16, or
            `step_per_module` meets accumulation, clipping by the norm of all modules, or an
            optimizer that cannot step its parameters one after another.
        NonFiniteError: From a step, see `nonfinite`.
    """

    def __init__(self, optimizer: Optimizer, *, dtype: str | torch.dtype | None = None,
                 loss_scale: str | float | dict[str, Any] | None = None,
                 nonfinite: str = 'stop', step_per_module: bool = False, **kwargs: Any) -> None:
        faults = Faults('AugLocalOptimWrapper')
        check_precision(faults, dtype, loss_scale)
        check_counts(faults, kwargs.get('accumulative_counts', 1))
        check_clipping(faults, kwargs.get('clip_grad'))
        check_choice(faults, 'nonfinite', nonfinite, ('stop', 'skip'))
        check_module_steps(faults, step_per_module, optimizer, kwargs)
        faults.raise_if_any()
        self._clips_modules = False
        if kwargs.get('clip_grad') is not None:
            kwargs['clip_grad'] = dict(kwargs['clip_grad'])  # mmengine takes `type` out of it.
            self._clips_modules = kwargs['clip_grad'].pop('per_module', False)
        super().__init__(optimizer, **kwargs)
        #: Norms of gradients in the latest update, for the log: of each group that is clipped by
        #: itself, those of modules that other ranks train and that came before first.
        self.norms: list[Tensor] = []
        self.norms_before: Sequence[Tensor] = ()
        self._norms: list[Tensor] = []
        self._clips_norm = bool(self.clip_grad_kwargs) and self.grad_name == 'grad_norm'
        self.dtype = DTYPES[dtype] if isinstance(dtype, str) else dtype
        self.device_type = optimizer.param_groups[0]['params'][0].device.type
        self._fixed_scale = float(loss_scale) if isinstance(loss_scale, (int, float)) else None
        settings = dict(loss_scale) if isinstance(loss_scale, dict) else {}
        if self._fixed_scale is not None:
            settings['init_scale'] = self._fixed_scale
        self.loss_scaler = torch.amp.GradScaler(
            self.device_type, enabled=self.dtype is torch.float16, **settings)
        self._guard = UpdateGuard(
            optimizer, skips=nonfinite == 'skip', enabled=not self.loss_scaler.is_enabled(),
            per_module=step_per_module)
        self._module_steps = ModuleSteps(optimizer, self._step_modules) if step_per_module else None
        #: The parts stepped in this step. The scaler knows them by identity until its update.
        self._parts: list[OptimizerPart] = []

    @property
    def skipped_updates(self) -> int:
        """Number of weight updates left out so far because something was not finite.

        With `step_per_module`, each module's update counts.
        """
        return self._guard.skipped

    @property
    def listeners(self) -> tuple[Listener, ...]:
        """What the wrapper has to hear of each step of immediate execution."""
        return (self._guard,) if self._module_steps is None else (self._guard, self._module_steps)

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
        self.norms = []
        if self._module_steps is not None:
            self._finish_modules()
        elif self.should_update():
            try:
                self.step()
            finally:
                # After an error as well: whoever goes on must not add to what caused it.
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
        self._norms.clear()
        groups = self._clipped_together(self.optimizer)
        if self._step(self.optimizer, groups, **kwargs):
            self.loss_scaler.update(self._fixed_scale)
        self._log_norm()

    def _step(self, update: Any, clipped: list[list[nn.Parameter]], *,
              modules: Iterable[int] = (), **kwargs: Any) -> bool:
        """Judge, clip and step; return whether the loss scaler has seen it.

        Args:
            update: The optimizer, or a part of it.
            clipped: The parameters that are clipped together.
            modules: The modules in it, if it is a part.
            **kwargs: For the optimizer's own step.
        """
        # A limit on values turns infinite gradients into finite ones, so look before.
        if not self._clips_norm and not self._guard.passes(update, modules=modules):
            return False
        norm = None
        if self.clip_grad_kwargs and has_gradients(update):
            self.loss_scaler.unscale_(update)
            norm = self._clip(clipped)
        # Without gradients as well: each update has a watch of its own, and they stand in a row.
        if self._clips_norm and not self._guard.passes(update, norm=norm, modules=modules):
            return False
        if self.loss_scaler.is_enabled() and not has_gradients(update):
            return False  # it would ask for what it has never seen
        self.loss_scaler.step(update, **kwargs)
        return True

    def _clip(self, groups: list[list[nn.Parameter]]) -> Tensor | None:
        """Clip each group by itself; return the norm of all, unless values are limited."""
        norms = [self.clip_func(group, **self.clip_grad_kwargs) for group in groups]
        if not self._clips_norm or not norms:
            return None
        self._norms += norms
        return self._total(norms)

    def _total(self, norms: list[Tensor]) -> Tensor:
        return norms[0] if len(norms) == 1 else torch.linalg.vector_norm(
            torch.stack(norms), self.clip_grad_kwargs.get('norm_type', 2.0))

    def _log_norm(self) -> None:
        """Log the norm of all gradients before they were clipped, as mmengine does."""
        self.norms, self._norms = [*self.norms_before, *self._norms], []
        if self.norms:
            self.message_hub.update_scalar(f'train/{self.grad_name}',
                                           float(self._total(self.norms)))

    def _clipped_together(self, update: Any) -> list[list[nn.Parameter]]:
        if not self.clip_grad_kwargs:
            return []
        parameters = [parameter for group in update.param_groups for parameter in group['params']
                      if parameter.requires_grad and parameter.grad is not None]
        if self._clips_modules:
            return by_module(self._guard.model, parameters)
        return [parameters] if parameters else []

    def _step_modules(self, part: OptimizerPart, modules: range) -> None:
        """Step some modules inside a training step."""
        # Modules that are trained together are clipped apart, as without step_per_module.
        try:
            if self._step(part, self._clipped_together(part), modules=modules):
                self._parts.append(part)
        finally:
            part.free_gradients()

    def _finish_modules(self) -> None:
        """End a step whose modules have stepped: an overflow in any of them lowers the scale."""
        if self._parts:
            self.loss_scaler.update(self._fixed_scale)
        self._parts.clear()
        self._log_norm()

    @contextmanager
    def optim_context(self, model: nn.Module) -> Iterator[None]:
        """Enter the context of a whole forward pass, for models with a single loss."""
        if self._module_steps is not None:
            raise TypeError(_NEEDS_LOCAL.format(type(model).__name__))
        self._guard.begin(model)
        with super().optim_context(model), self.precision(), self._guard.watching():
            yield

    def judge_apart(self, faults: Faults) -> None:
        """Add a fault for each setting that judges the gradients of all modules together."""
        by_module = self._module_steps is not None
        faults.add_unless(
            not self._clips_norm or self._clips_modules,
            'clip_grad must not need the norm of all gradients, which no rank has; add '
            'per_module=True')
        faults.add_unless(
            not self._guard.skips or by_module,
            "nonfinite='skip' leaves out a whole update, which no rank can judge; set "
            'step_per_module=True, or nonfinite=\'stop\'')
        faults.add_unless(
            not self.loss_scaler.is_enabled() or (self._fixed_scale is not None and by_module),
            'float16 needs a fixed loss_scale, such as loss_scale=512.0, and '
            "step_per_module=True, because no rank sees all overflows; or set dtype='bfloat16'")

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


_NEEDS_LOCAL = (
    'step_per_module=True needs a model that is trained locally, alone, in '
    'LocalDistributedDataParallel or LocalPipelineParallel, got {}, which has one backward pass; '
    'leave it out')


def has_gradients(update: Any) -> bool:
    """Tell whether any parameter of an optimizer, or of a part of it, has a gradient."""
    return any(parameter.grad is not None
               for group in update.param_groups for parameter in group['params'])


def by_module(model: Any, parameters: list[nn.Parameter]) -> list[list[nn.Parameter]]:
    """Sort parameters by the local module that trains them, first to last; no group is empty.

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
    return [groups[module] for module in sorted(groups)]
