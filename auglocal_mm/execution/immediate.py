"""Immediate execution: each module's backward pass before the next module's forward pass."""
from __future__ import annotations

from collections.abc import Iterable
from contextlib import AbstractContextManager
from typing import Any, Protocol, runtime_checkable

from torch import Tensor

from .carry import Carry
from .events import Listener, ModuleDone, StepBegin
from .local_model import LocalModel, module_name
from .steps import local_steps


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


def immediate_step(model: LocalModel, inputs: Any, data_samples: Any,
                   optim_wrapper: LocalOptimizer) -> dict[str, Tensor]:
    """Run one training step; every graph is freed before the next module runs.

    Args:
        model: The model, in training mode.
        inputs: Preprocessed images [B, C, H, W].
        data_samples: Their B data samples.
        optim_wrapper: Scales the losses, steps the optimizer once.

    Returns:
        Values for the log, without graph: the model's own and, if there are
        auxiliary networks, ``local_loss``, the sum of their losses.
    """
    listeners = model.listeners.joined(optim_wrapper.listeners, [model.local_metrics])
    log_vars: dict[str, Tensor] = {}
    batch = model.task.batch(model, inputs, data_samples)
    listeners.begin_step(StepBegin(model=model, updates=optim_wrapper.should_sync()))
    for step in local_steps(model, Carry(features=inputs), batch,
                            precision=optim_wrapper.precision):
        if not step.losses:
            continue
        loss, module_log = model.parse_losses(step.losses)
        # Each module overwrites it, so the last one's stay: those of plain training.
        log_vars = {name: value.detach() for name, value in module_log.items()}
        trains = loss.requires_grad  # not so under a frozen head, whose loss is logged all the same
        if trains:
            optim_wrapper.backward_local(loss)
        listeners.after_module(ModuleDone(
            module=step.module, name=module_name(model, step.module), loss=loss.detach(),
            scores=step.scores, trained=step.trained if trains else range(0)))
    listeners.end_step()
    optim_wrapper.finish_step()
    # The name holds `loss`, but mmengine no longer adds up what a train_step returns.
    if model.chain.plan.modules > 1:
        log_vars['local_loss'] = model.local_metrics.total_loss()
    return log_vars
