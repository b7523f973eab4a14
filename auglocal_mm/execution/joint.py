"""Joint execution: one backward pass through the sum of all local losses.

For code that calls ``model(mode='loss')`` and runs the backward pass itself
(a plain ``OptimWrapper``, upstream's data parallel wrapper). Boundaries are where
they are in immediate execution, so the gradients are the same. But all modules'
graphs live until the single backward pass, so no memory is saved.
"""
from __future__ import annotations

from typing import Any

from torch import Tensor

from .local_model import LocalModel, named
from .nonfinite import check_joint


def joint_losses(model: LocalModel, inputs: Any, data_samples: Any,
                 ) -> dict[str, Tensor]:
    """Return the head's losses and ``local_loss``, the sum of the auxiliary networks' losses.

    Args:
        model: The classifier.
        inputs: Preprocessed images [B, C, H, W].
        data_samples: Their B data samples.
    """
    losses: dict[str, Tensor] = {}
    total: Tensor | None = None
    watched: list[tuple[str, Tensor]] = []
    model.local_metrics.reset()
    for step in model.local_steps(inputs, data_samples):
        if not step.losses:
            continue
        loss, _ = model.parse_losses(step.losses)
        model.local_metrics.update(step, loss)
        if loss.requires_grad:
            watched.append((named(model, step.module), loss))
        if step.module == model.plan.modules - 1:
            losses = dict(step.losses)
        else:
            total = loss if total is None else total + loss
    if model.plan.modules > 1:
        losses['local_loss'] = model.local_metrics.total_loss() if total is None else total
    check_joint(watched)
    return losses
