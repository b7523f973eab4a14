"""Joint execution: one backward pass through the sum of all local losses.

For code that calls ``model(mode='loss')`` and runs the backward pass itself
(a plain ``OptimWrapper``, upstream's data parallel wrapper). Boundaries are where
they are in immediate execution, so the gradients are the same. But all modules'
graphs live until the single backward pass, so no memory is saved.
"""
from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from .carry import Carry
from .events import ModuleDone, StepBegin
from .local_model import LocalModel, module_name
from .nonfinite import check_joint
from .steps import local_steps


def joint_losses(model: LocalModel, inputs: Any, data_samples: Any,
                 ) -> dict[str, Tensor]:
    """Return the model's own losses and ``local_loss``, the sum of the auxiliary networks' losses.

    Args:
        model: The model.
        inputs: Preprocessed images [B, C, H, W].
        data_samples: Their B data samples.

    Raises:
        TypeError: Somebody listens to the model's steps, and would hear nothing.
    """
    if torch.is_grad_enabled() and list(model.listeners):
        raise TypeError(_DEAF.format(', '.join(type(each).__name__ for each in model.listeners)))
    plan, metrics = model.chain.plan, model.local_metrics
    losses: dict[str, Tensor] = {}
    total: Tensor | None = None
    watched: list[tuple[str, Tensor]] = []
    batch = model.task.batch(model, inputs, data_samples)
    # Whoever runs the backward pass is not known here, so only the record listens.
    metrics.begin_step(StepBegin(model=model, updates=False))
    for step in local_steps(model, Carry(features=inputs), batch):
        if not step.losses:
            continue
        loss, _ = model.parse_losses(step.losses)
        name = module_name(model, step.module)
        metrics.after_module(ModuleDone(
            module=step.module, name=name, loss=loss.detach(), scores=step.scores,
            trained=range(0)))
        if loss.requires_grad:
            watched.append((name, loss))
        # The model's own losses keep their names and are logged one by one, as in plain training.
        if step.module == plan.modules - 1:
            losses = dict(step.losses)
        else:
            total = loss if total is None else total + loss
    if plan.modules > 1:
        losses['local_loss'] = metrics.total_loss() if total is None else total
    check_joint(watched)
    return losses


_DEAF = (
    '{} must hear of each backward pass, but here all modules have a single one; set '
    "optim_wrapper.type='auglocal_mm.AugLocalOptimWrapper' or remove it from model.listeners")
