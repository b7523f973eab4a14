"""Multi-scale deformable attention, by mmcv's own function in PyTorch."""
from __future__ import annotations

import torch
from torch import Tensor

from .precision import widen


def ms_deform_attn_forward(
    value: Tensor, spatial_shapes: Tensor, level_start_index: Tensor,
    sampling_locations: Tensor, attention_weights: Tensor, *, im2col_step: int,
) -> Tensor:
    """Sum samples of several feature maps, weighted by attention.

    Args:
        value: Shape [N×(ΣH·W)×heads×C], the maps one after the other.
        spatial_shapes: Height and width of each map; shape [levels×2].
        level_start_index: Unused; the maps' sizes tell it.
        sampling_locations: ``(x, y)`` in 0 to 1; shape [N×Q×heads×levels×points×2].
        attention_weights: Shape [N×Q×heads×levels×points].
        im2col_step: Images at a time in the compiled operator; unused.

    Returns:
        Shape [N×Q×(heads·C)].
    """
    return _attend(widen(value), spatial_shapes, widen(sampling_locations),
                   widen(attention_weights)).to(value.dtype)


def ms_deform_attn_backward(
    value: Tensor, spatial_shapes: Tensor, level_start_index: Tensor,
    sampling_locations: Tensor, attention_weights: Tensor, grad_output: Tensor,
    grad_value: Tensor, grad_sampling_loc: Tensor, grad_attn_weight: Tensor, *,
    im2col_step: int,
) -> None:
    """Write the gradients of value, locations and weights; arguments as forward."""
    leaves = [widen(each).detach().requires_grad_()
              for each in (value, sampling_locations, attention_weights)]
    with torch.enable_grad():
        output = _attend(leaves[0], spatial_shapes, leaves[1], leaves[2])
    found = torch.autograd.grad(output, leaves, widen(grad_output))
    for target, gradient in zip((grad_value, grad_sampling_loc, grad_attn_weight), found,
                                strict=True):
        target.copy_(gradient)


def _attend(value: Tensor, shapes: Tensor, locations: Tensor, weights: Tensor) -> Tensor:
    # Imported late: mmcv.ops imports this module's operators first.
    from mmcv.ops.multi_scale_deform_attn import multi_scale_deformable_attn_pytorch

    # Lists cost one copy from an accelerator, where tensors cost one a number.
    return multi_scale_deformable_attn_pytorch(value, shapes.tolist(), locations, weights)
