"""Immediate execution: each module's backward pass before the next module's forward pass."""
from __future__ import annotations

from collections.abc import Iterable
from contextlib import AbstractContextManager
from typing import Any, Protocol, runtime_checkable

from torch import Tensor

from .carry import Carry
from .events import Listener, Listeners, ModuleDone, StepBegin
from .local_model import LocalModel, module_name
from .local_step import LocalStep
from .steps import drive, local_steps


@runtime_checkable
class LocalOptimizer(Protocol):
    """What immediate execution requires of an optimizer wrapper (``AugLocalOptimWrapper``)."""

    @property
    def listeners(self) -> Iterable[Listener]:
        """What the wrapper itself has to hear of a step."""
        ...

    def precision(self) -> AbstractContextManager:
        """Return the context of a forward computation."""

    def backward_local(self, loss: Tensor) -> None:
        """Run the backward pass of one local loss."""

    def should_sync(self) -> bool:
        """Tell whether this step will update weights."""

    def finish_step(self) -> None:
        """Count the step and update the weights if due."""


def immediate_step(model: LocalModel, carry: Carry, batch: Any, optim_wrapper: LocalOptimizer, *,
                   modules: range | None = None) -> tuple[dict[str, Tensor], Carry]:
    """Run one training step; every graph is freed before the next module runs.

    Args:
        model: The model, in training mode.
        carry: Where the step starts: the images, or what another rank sent.
        batch: The task's batch.
        optim_wrapper: Scales the losses, steps the optimizer once.
        modules: The modules to run, all by default; see :func:`local_steps`.

    Returns:
        Values for the log, without graph: the model's own (from its last module) and, if
        there are auxiliary networks, ``local_loss``, the sum of their losses. And the carry
        after the last of the modules.
    """
    listeners = model.listeners.joined(optim_wrapper.listeners, [model.local_metrics])
    last = model.chain.plan.modules - 1
    log_vars: dict[str, Tensor] = {}
    listeners.begin_step(StepBegin(model=model, updates=optim_wrapper.should_sync()))
    steps = local_steps(model, carry, batch, modules=modules, precision=optim_wrapper.precision,
                        before=listeners.before_module)

    def learn(step: LocalStep) -> None:
        if step.losses:
            module_log = _learn(model, step, optim_wrapper, listeners)
            if step.module == last:
                log_vars.update(module_log)

    carry = drive(steps, learn)
    listeners.before_update()
    optim_wrapper.finish_step()
    listeners.end_step()
    # The name holds `loss`, but mmengine no longer adds up what a train_step returns.
    if last > 0:
        log_vars['local_loss'] = model.local_metrics.total_loss()
    return log_vars, carry


def _learn(model: LocalModel, step: LocalStep, optim_wrapper: LocalOptimizer,
           listeners: Listeners) -> dict[str, Tensor]:
    """Run a module's backward pass, tell the listeners, return its values for the log."""
    loss, log = model.parse_losses(step.losses)
    if loss.requires_grad:  # not so under a frozen head, whose loss is logged all the same
        optim_wrapper.backward_local(loss)
    # By what could be trained, and not by the loss: a batch may give one rank nothing to learn
    # from, and ranks must agree on whose gradients they average.
    trains = any(each.requires_grad for module in step.trained
                 for each in model.module_parameters(module))
    listeners.after_module(ModuleDone(
        module=step.module, name=module_name(model, step.module), loss=loss.detach(),
        scores=step.scores, trained=step.trained if trains else range(0)))
    return {name: value.detach() for name, value in log.items()}
