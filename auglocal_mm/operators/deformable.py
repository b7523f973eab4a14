"""Deformable convolution, without (v1) and with modulation (v2).

Offsets are ``(y, x)`` pairs in pixels, one for each kernel element of each deformable
group: [N×(2·G·kh·kw)×H'×W']. Masks are [N×(G·kh·kw)×H'×W'].
"""
from __future__ import annotations

import torch
import torchvision  # noqa: F401 - registers torch.ops.torchvision
from torch import Tensor

from .precision import widen


def deform_conv_forward(
    features: Tensor, weight: Tensor, offset: Tensor, output: Tensor, columns: Tensor,
    ones: Tensor, *, kW: int, kH: int, dW: int, dH: int, padW: int, padH: int,  # noqa: N803
    dilationW: int, dilationH: int, group: int, deformable_group: int,  # noqa: N803
    im2col_step: int,
) -> None:
    """Write the deformable convolution (v1) of ``features`` into ``output``.

    Args:
        features: Shape [N×C×H×W].
        weight: Shape [O×(C/``group``)×kH×kW].
        offset: See above.
        output: Receives the result; shape [N×O×H'×W'].
        columns: Unused workspace of the compiled operator.
        ones: Unused, too.
        kW: Kernel width; here and below ``weight`` and ``output`` tell it already.
        kH: Kernel height.
        dW: Horizontal stride.
        dH: Vertical stride.
        padW: Horizontal padding.
        padH: Vertical padding.
        dilationW: Horizontal dilation.
        dilationH: Vertical dilation.
        group: Groups of channels of the convolution.
        deformable_group: Groups of channels that share offsets, G.
        im2col_step: Images at a time in the compiled operator; unused.
    """
    geometry = (dH, dW, padH, padW, dilationH, dilationW, group, deformable_group)
    output.copy_(_forward(features, weight, offset, None, None, geometry))


def deform_conv_backward_input(
    features: Tensor, offset: Tensor, grad_output: Tensor, grad_input: Tensor,
    grad_offset: Tensor, weight: Tensor, columns: Tensor, *, kW: int, kH: int,  # noqa: N803
    dW: int, dH: int, padW: int, padH: int, dilationW: int, dilationH: int,  # noqa: N803
    group: int, deformable_group: int, im2col_step: int,
) -> None:
    """Write the gradients of features and offsets; arguments as in the forward pass."""
    geometry = (dH, dW, padH, padW, dilationH, dilationW, group, deformable_group)
    found = _backward(grad_output, features, weight, offset, None, None, geometry)
    grad_input.copy_(found[0])
    grad_offset.copy_(found[2])


def deform_conv_backward_parameters(
    features: Tensor, offset: Tensor, grad_output: Tensor, grad_weight: Tensor,
    columns: Tensor, ones: Tensor, *, kW: int, kH: int, dW: int, dH: int,  # noqa: N803
    padW: int, padH: int, dilationW: int, dilationH: int, group: int,  # noqa: N803
    deformable_group: int, scale: float, im2col_step: int,
) -> None:
    """Add ``scale`` times the weight's gradient to ``grad_weight``."""
    geometry = (dH, dW, padH, padW, dilationH, dilationW, group, deformable_group)
    # The gradient of the weight does not depend on its values.
    found = _backward(grad_output, features, grad_weight, offset, None, None, geometry)
    grad_weight.add_(found[1].to(grad_weight.dtype), alpha=scale)


def modulated_deform_conv_forward(
    features: Tensor, weight: Tensor, bias: Tensor, ones: Tensor, offset: Tensor, mask: Tensor,
    output: Tensor, columns: Tensor, *, kernel_h: int, kernel_w: int, stride_h: int,
    stride_w: int, pad_h: int, pad_w: int, dilation_h: int, dilation_w: int, group: int,
    deformable_group: int, with_bias: bool,
) -> None:
    """Write the modulated deformable convolution (v2) of ``features`` into ``output``.

    Args:
        features: Shape [N×C×H×W].
        weight: Shape [O×(C/``group``)×kh×kw].
        bias: Shape [O]; empty where there is none.
        ones: Unused workspace of the compiled operator.
        offset: See above.
        mask: See above.
        output: Receives the result; shape [N×O×H'×W'].
        columns: Unused workspace.
        kernel_h: Kernel height, which ``weight`` tells already.
        kernel_w: Kernel width.
        stride_h: Vertical stride.
        stride_w: Horizontal stride.
        pad_h: Vertical padding.
        pad_w: Horizontal padding.
        dilation_h: Vertical dilation.
        dilation_w: Horizontal dilation.
        group: Groups of channels of the convolution.
        deformable_group: Groups of channels that share offsets and masks, G.
        with_bias: Whether ``bias`` is added.
    """
    geometry = (stride_h, stride_w, pad_h, pad_w, dilation_h, dilation_w, group,
                deformable_group)
    size = output.shape[-2:]
    output.copy_(_forward(features, weight, _leading(offset, size), _leading(mask, size),
                          bias if with_bias else None, geometry))


def modulated_deform_conv_backward(
    features: Tensor, weight: Tensor, bias: Tensor, ones: Tensor, offset: Tensor, mask: Tensor,
    columns: Tensor, grad_input: Tensor, grad_weight: Tensor, grad_bias: Tensor,
    grad_offset: Tensor, grad_mask: Tensor, grad_output: Tensor, *, kernel_h: int,
    kernel_w: int, stride_h: int, stride_w: int, pad_h: int, pad_w: int, dilation_h: int,
    dilation_w: int, group: int, deformable_group: int, with_bias: bool,
) -> None:
    """Write the gradients of all inputs; arguments as in the forward pass."""
    geometry = (stride_h, stride_w, pad_h, pad_w, dilation_h, dilation_w, group,
                deformable_group)
    size = grad_output.shape[-2:]
    found = _backward(grad_output, features, weight, _leading(offset, size),
                      _leading(mask, size), bias if with_bias else None, geometry)
    for target, gradient in zip((grad_input, grad_weight), found[:2], strict=True):
        target.copy_(gradient)
    for target, gradient in zip((grad_offset, grad_mask), found[2:4], strict=True):
        _copy_leading(target, gradient)
    if with_bias:
        grad_bias.copy_(found[4])


def _leading(values: Tensor, size: torch.Size) -> Tensor:
    """Read offsets or masks of a larger map as compiled operators do.

    They never look at the map's size: they take each image's first numbers for a map of
    the output's size. mmdet's DyHead trains on that, as it gives a finer level's offsets.

    Args:
        values: Shape [N×C×h×w].
        size: Height H' and width W' of the output.

    Returns:
        Shape [N×C×H'×W'].

    Raises:
        ValueError: The map is smaller than the output; a compiled operator would read
            beyond its end.
    """
    if values.shape[-2:] == size:
        return values
    images, channels = values.shape[:2]
    needed = channels * size.numel()
    if values[0].numel() < needed:
        raise ValueError(f'offsets and masks must cover the output of {tuple(size)}, got '
                         f'{tuple(values.shape[-2:])}')
    return values.flatten(1)[:, :needed].reshape(images, channels, *size)


def _copy_leading(target: Tensor, gradient: Tensor) -> None:
    """Write a gradient of what :func:`_leading` took, and zero for the rest."""
    whole = gradient.new_zeros(len(target), target[0].numel())
    whole[:, :gradient[0].numel()] = gradient.flatten(1)
    target.copy_(whole.view(target.shape))


def _forward(
    features: Tensor, weight: Tensor, offset: Tensor, mask: Tensor | None, bias: Tensor | None,
    geometry: tuple[int, ...],
) -> Tensor:
    inputs = _inputs(features, weight, offset, mask, bias)
    return torch.ops.torchvision.deform_conv2d(*inputs, *geometry, mask is not None)


def _backward(
    grad_output: Tensor, features: Tensor, weight: Tensor, offset: Tensor, mask: Tensor | None,
    bias: Tensor | None, geometry: tuple[int, ...],
) -> tuple[Tensor, ...]:
    """Return the gradients of features, weight, offset, mask and bias."""
    inputs = _inputs(features, weight, offset, mask, bias)
    # mmcv asks for gradients by itself, so autograd has recorded nothing.
    return torch.ops.torchvision._deform_conv2d_backward(
        widen(grad_output), *inputs, *geometry, mask is not None)


def _inputs(
    features: Tensor, weight: Tensor, offset: Tensor, mask: Tensor | None, bias: Tensor | None,
) -> tuple[Tensor, ...]:
    """Return torchvision's tensors: an absent mask is empty, and an absent bias is zero."""
    if mask is None:
        mask = offset.new_zeros(len(offset), 0)
    if bias is None:
        bias = weight.new_zeros(len(weight))
    return tuple(widen(each) for each in (features, weight, offset, mask, bias))
