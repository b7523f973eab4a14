"""Focal losses as mmcv computes them on CUDA (Lin et al., 2017, section 3.2).

``target`` holds class indices [N]. The number of classes stands for background in the
sigmoid loss, which no class then claims. Weights [C] of classes may be empty.
"""
from __future__ import annotations

import torch
from torch import Tensor

from .precision import widen

#: Least probability whose logarithm is taken: the least normal float32.
_TINY = torch.finfo(torch.float32).tiny


def sigmoid_focal_loss_forward(
    logits: Tensor, target: Tensor, weight: Tensor, output: Tensor, *, gamma: float,
    alpha: float,
) -> None:
    """Write −α(1−p)^γ·log p of each target and −(1−α)p^γ·log(1−p) of all else.

    Args:
        logits: Shape [N×C].
        target: Shape [N].
        weight: Shape [C] or [0].
        output: Receives the loss; shape [N×C].
        gamma: Focus γ.
        alpha: Weight α of the targets.
    """
    chance = widen(logits).sigmoid()
    hit = (1 - chance) ** gamma * chance.clamp(min=_TINY).log()
    miss = chance ** gamma * (1 - chance).clamp(min=_TINY).log()
    output.copy_(_sides(hit, miss, target, weight, alpha=alpha))


def sigmoid_focal_loss_backward(
    logits: Tensor, target: Tensor, weight: Tensor, grad_input: Tensor, *, gamma: float,
    alpha: float,
) -> None:
    """Write the derivative of each loss by its logit; arguments as forward."""
    chance = widen(logits).sigmoid()
    rest = 1 - chance
    hit = rest ** gamma * (rest - gamma * chance * chance.clamp(min=_TINY).log())
    miss = chance ** gamma * (gamma * rest * rest.clamp(min=_TINY).log() - chance)
    grad_input.copy_(_sides(hit, miss, target, weight, alpha=alpha))


def _sides(hit: Tensor, miss: Tensor, target: Tensor, weight: Tensor, *, alpha: float) -> Tensor:
    classes = torch.arange(hit.shape[1], device=hit.device)
    loss = torch.where(target[:, None] == classes, -alpha * hit, (alpha - 1) * miss)
    return loss * _class_weights(target, weight)[:, None]


def _class_weights(target: Tensor, weight: Tensor) -> Tensor:
    """Return the weight of each target's class; 1 without weights, and for what is no class."""
    if not weight.numel():
        return widen(weight).new_ones(len(target))
    is_class = (target >= 0) & (target < len(weight))
    return torch.where(is_class, widen(weight)[target.clamp(0, len(weight) - 1)], 1.0)


def softmax_focal_loss_forward(
    softmax: Tensor, target: Tensor, weight: Tensor, output: Tensor, *, gamma: float,
    alpha: float,
) -> None:
    """Write −α(1−p)^γ·log p of each target; 0 where it is negative.

    Args:
        softmax: Probabilities, shape [N×C].
        target: Shape [N].
        weight: Shape [C] or [0].
        output: Receives the loss; shape [N].
        gamma: Focus γ.
        alpha: Weight α.
    """
    chance = _target_chance(softmax, target)
    loss = -alpha * (1 - chance) ** gamma * chance.clamp(min=_TINY).log()
    output.copy_(torch.where(target >= 0, loss * _class_weights(target, weight), 0.0))


def softmax_focal_loss_backward(
    softmax: Tensor, target: Tensor, weight: Tensor, buff: Tensor, grad_input: Tensor, *,
    gamma: float, alpha: float,
) -> None:
    """Write the derivatives by the logits into ``grad_input`` [N×C], and a factor into ``buff``."""
    chance = _target_chance(softmax, target)
    rest = 1 - chance
    factor = alpha * (gamma * rest ** (gamma - 1) * chance * chance.clamp(min=_TINY).log()
                      - rest ** gamma)
    buff.copy_(torch.where(target >= 0, factor * _class_weights(target, weight), 0.0))
    classes = torch.arange(softmax.shape[1], device=softmax.device)
    is_target = (target[:, None] == classes).to(buff.dtype)
    grad_input.copy_(buff[:, None] * (is_target - softmax))


def _target_chance(softmax: Tensor, target: Tensor) -> Tensor:
    # A negative target counts for nothing, so any column serves.
    return widen(softmax).gather(1, target.clamp(min=0)[:, None])[:, 0]
