"""Immediate execution: each module's backward pass before the next module's forward."""
from __future__ import annotations

from contextlib import AbstractContextManager
from typing import Any, Protocol, runtime_checkable

from torch import Tensor

from .local_model import LocalModel, named


@runtime_checkable
class LocalOptimizer(Protocol):
    """What immediate execution requires of an optimizer wrapper (``AugLocalOptimWrapper``)."""

    def begin_step(self, model: Any) -> None:
        """Prepare for a step of `model`, before its forward pass."""

    def precision(self) -> AbstractContextManager:
        """Return the context of a forward computation."""

    def observe(self, name: str, loss: Tensor) -> Tensor | None:
        """Watch the loss of a named module, and return the flag that ranks share."""

    def backward_local(self, loss: Tensor) -> None:
        """Run the backward pass of one local loss."""

    def should_sync(self) -> bool:
        """Tell whether this step will update weights."""

    def finish_step(self) -> None:
        """Count the step and update the weights if due."""


class GradientSync(Protocol):
    """Averages gradients over ranks, module by module."""

    def start(self, modules: range, flag: Tensor | None = None) -> None:
        """Start averaging modules' gradients, right after their backward pass."""

    def finish(self) -> None:
        """Wait for everything that was started, once, before the optimizer steps."""


def train_step(model: LocalModel, inputs: Any, data_samples: Any,
               optim_wrapper: LocalOptimizer, sync: GradientSync | None = None,
               ) -> dict[str, Tensor]:
    """Run one training step; every graph is freed before the next module runs.

    Args:
        model: The classifier, in training mode.
        inputs: Preprocessed images [B, C, H, W].
        data_samples: Their B data samples.
        optim_wrapper: Scales the losses, steps the optimizer once.
        sync: Averages gradients over ranks, in steps that update weights.

    Returns:
        Values for the log, without graph: the head's own and, if there are
        auxiliary networks, ``local_loss``, the sum of their losses.
    """
    if sync is not None and not optim_wrapper.should_sync():
        sync = None
    log_vars: dict[str, Tensor] = {}
    model.local_metrics.reset()
    optim_wrapper.begin_step(model)
    for step in model.local_steps(inputs, data_samples, precision=optim_wrapper.precision):
        if not step.losses:
            continue
        loss, module_log = model.parse_losses(step.losses)
        log_vars = {name: value.detach() for name, value in module_log.items()}
        model.local_metrics.update(step, loss)
        if not loss.requires_grad:  # a frozen head, whose loss is logged all the same
            continue
        flag = optim_wrapper.observe(named(model, step.module), loss)
        optim_wrapper.backward_local(loss)
        if sync is not None:
            sync.start(step.trained, flag)
    if sync is not None:
        sync.finish()
    optim_wrapper.finish_step()
    if model.plan.modules > 1:
        log_vars['local_loss'] = model.local_metrics.total_loss()
    return log_vars
