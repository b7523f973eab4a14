"""Content-aware upsampling (CARAFE, Wang et al., 2019, section 3.2)."""
from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F

from .precision import widen


def carafe_naive_forward(
    features: Tensor, masks: Tensor, output: Tensor, *, kernel_size: int, group_size: int,
    scale_factor: int,
) -> None:
    """Write a weighted sum of each source pixel's neighbourhood to each target pixel.

    Args:
        features: Shape [N×C×H×W].
        masks: Weights, shape [N×(G·k·k)×sH×sW].
        output: Receives the result; shape [N×C×sH×sW].
        kernel_size: Side k of the neighbourhood, odd.
        group_size: Groups G of channels that share weights.
        scale_factor: Upsampling ratio s.
    """
    output.copy_(_reassemble(widen(features), widen(masks), kernel_size, group_size,
                             scale_factor))


def carafe_naive_backward(
    grad_output: Tensor, features: Tensor, masks: Tensor, grad_input: Tensor,
    grad_masks: Tensor, *, kernel_size: int, group_size: int, scale_factor: int,
) -> None:
    """Write the gradients of features and masks; arguments as forward."""
    leaves = tuple(widen(each).detach().requires_grad_() for each in (features, masks))
    with torch.enable_grad():
        output = _reassemble(leaves[0], leaves[1], kernel_size, group_size, scale_factor)
    found = torch.autograd.grad(output, leaves, widen(grad_output))
    grad_input.copy_(found[0])
    grad_masks.copy_(found[1])


def carafe_forward(
    features: Tensor, masks: Tensor, rfeatures: Tensor, routput: Tensor, rmasks: Tensor,
    output: Tensor, *, kernel_size: int, group_size: int, scale_factor: int,
) -> None:
    """Do as :func:`carafe_naive_forward`.

    ``rfeatures`` is the one workspace that mmcv hands to the backward pass, so it keeps
    the features. ``routput`` and ``rmasks`` stay unused.
    """
    rfeatures.copy_(features)
    carafe_naive_forward(features, masks, output, kernel_size=kernel_size,
                         group_size=group_size, scale_factor=scale_factor)


def carafe_backward(
    grad_output: Tensor, rfeatures: Tensor, masks: Tensor, rgrad_output: Tensor,
    rgrad_input_hs: Tensor, rgrad_input: Tensor, rgrad_masks: Tensor, grad_input: Tensor,
    grad_masks: Tensor, *, kernel_size: int, group_size: int, scale_factor: int,
) -> None:
    """Do as :func:`carafe_naive_backward`; names with ``r`` are unused but for the features."""
    carafe_naive_backward(grad_output, rfeatures, masks, grad_input, grad_masks,
                          kernel_size=kernel_size, group_size=group_size,
                          scale_factor=scale_factor)


def _reassemble(features: Tensor, masks: Tensor, side: int, groups: int, scale: int) -> Tensor:
    images, channels, height, width = features.shape
    near = F.unfold(features, side, padding=side // 2).view(
        images, groups, channels // groups, side * side, height, width)
    weights = masks.view(images, groups, side * side, height, scale, width, scale)
    # Autocast would take the sums back to 16 bits.
    with torch.autocast(features.device.type, enabled=False):
        summed = torch.einsum('ngckhw,ngkhawb->ngchawb', near, weights)
    return summed.reshape(images, channels, height * scale, width * scale)
