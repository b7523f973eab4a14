"""Pooling of features inside regions of interest.

A region is ``(image, x1, y1, x2, y2)``: the image's index in the batch and a box in
pixels of the input image. ``spatial_scale`` is features' size by the image's.
"""
from __future__ import annotations

import torch
import torchvision  # noqa: F401 - registers torch.ops.torchvision
from torch import Tensor

from .missing import MissingOperatorError
from .precision import widen

_AVERAGE = 1


def roi_align_forward(
    features: Tensor, rois: Tensor, output: Tensor, argmax_y: Tensor, argmax_x: Tensor, *,
    aligned_height: int, aligned_width: int, spatial_scale: float, sampling_ratio: int,
    pool_mode: int, aligned: bool,
) -> None:
    """Average bilinear samples inside each bin of each region (RoIAlign).

    Args:
        features: Shape [N×C×H×W].
        rois: Shape [K×5].
        output: Receives the result; shape [K×C×``aligned_height``×``aligned_width``].
        argmax_y: Unused; only maximum pooling needs it.
        argmax_x: Unused, too.
        aligned_height: Bins of a region in height.
        aligned_width: Bins of a region in width.
        spatial_scale: Features' size by the image's.
        sampling_ratio: Samples a bin and direction; 0 for one each feature pixel.
        pool_mode: 1 average.
        aligned: Whether pixels lie at their centres, half a pixel off their index.

    Raises:
        MissingOperatorError: Maximum pooling is asked for.
    """
    _refuse_maximum(pool_mode)
    # torchvision takes features and regions of one dtype only.
    wide = widen(features)
    output.copy_(torch.ops.torchvision.roi_align(
        wide, rois.to(wide.dtype), spatial_scale, aligned_height, aligned_width,
        sampling_ratio, aligned))


def roi_align_backward(
    grad_output: Tensor, rois: Tensor, argmax_y: Tensor, argmax_x: Tensor, grad_input: Tensor,
    *, aligned_height: int, aligned_width: int, spatial_scale: float, sampling_ratio: int,
    pool_mode: int, aligned: bool,
) -> None:
    """Write the gradient of :func:`roi_align_forward` into ``grad_input`` [N×C×H×W].

    Raises:
        MissingOperatorError: Maximum pooling is asked for.
    """
    _refuse_maximum(pool_mode)
    wide = widen(grad_output)
    grad_input.copy_(torch.ops.torchvision._roi_align_backward(
        wide, rois.to(wide.dtype), spatial_scale, aligned_height, aligned_width,
        *grad_input.shape, sampling_ratio, aligned))


def _refuse_maximum(pool_mode: int) -> None:
    if pool_mode != _AVERAGE:
        raise MissingOperatorError('roi_align', "RoIAlign with pool_mode='max'; 'avg' works")


def roi_pool_forward(
    features: Tensor, rois: Tensor, output: Tensor, argmax: Tensor, *, pooled_height: int,
    pooled_width: int, spatial_scale: float,
) -> None:
    """Take the maximum inside each bin of each region (RoIPool).

    torchvision's ``roi_pool`` is another function: it rounds a region to whole feature
    pixels before it divides it into bins, and mmcv divides first. The two agree where
    ``spatial_scale`` is 1 and boxes have whole coordinates. So this one follows mmcv.

    Args:
        features: Shape [N×C×H×W].
        rois: Shape [K×5].
        output: Receives the result; shape [K×C×``pooled_height``×``pooled_width``].
        argmax: Receives each maximum's place in its feature map, row by row; −1 where a
            bin is empty. The shape of ``output``, int32.
        pooled_height: Bins of a region in height.
        pooled_width: Bins of a region in width.
        spatial_scale: Features' size by the image's.

    Raises:
        IndexError: A region names an image that is not in the batch.
    """
    images = rois[:, 0].long()
    if ((images < 0) | (images >= len(features))).any():
        raise IndexError(f'rois must name images 0 to {len(features) - 1} in their first '
                         f'column, got {images.min()} to {images.max()}')
    height, width = features.shape[-2:]
    corners = widen(rois)[:, 1:]
    low = corners[:, :2] * spatial_scale
    # mmcv's regions include their last pixel here, unlike in RoIAlign.
    size = (corners[:, 2:] + 1) * spatial_scale - low
    columns = _bins(low[:, 0], size[:, 0], bins=pooled_width, limit=width)
    rows = _bins(low[:, 1], size[:, 1], bins=pooled_height, limit=height)
    output.zero_()
    argmax.fill_(-1)
    for index, (left, right, top, bottom) in enumerate(
            zip(*(edge.tolist() for edge in (*columns, *rows)), strict=True)):
        if not (size[index] > 0).all():
            continue
        image = features[images[index]]
        for row, (y1, y2) in enumerate(zip(top, bottom, strict=True)):
            for column, (x1, x2) in enumerate(zip(left, right, strict=True)):
                if y1 < y2 and x1 < x2:
                    best, place = image[:, y1:y2, x1:x2].flatten(1).max(dim=1)
                    output[index, :, row, column] = best
                    argmax[index, :, row, column] = (
                        (y1 + place // (x2 - x1)) * width + x1 + place % (x2 - x1)).int()


def _bins(low: Tensor, size: Tensor, *, bins: int, limit: int) -> tuple[Tensor, Tensor]:
    """Return first and last pixel (exclusive) of each bin along a side; each [K×bins], int64."""
    step = (size / bins)[:, None]
    index = torch.arange(bins, device=low.device, dtype=low.dtype)
    first = (index * step + low[:, None]).floor()
    last = ((index + 1) * step + low[:, None]).ceil()
    return first.clamp(0, limit).long(), last.clamp(0, limit).long()


def roi_pool_backward(
    grad_output: Tensor, rois: Tensor, argmax: Tensor, grad_input: Tensor, *,
    pooled_height: int, pooled_width: int, spatial_scale: float,
) -> None:
    """Add each gradient to the pixel that was the maximum; ``grad_input`` is [N×C×H×W]."""
    images, channels = grad_input.shape[:2]
    total = widen(grad_input).new_zeros(images, channels, grad_input[0, 0].numel())
    image = rois[:, 0].long()[:, None, None]
    channel = torch.arange(channels, device=rois.device)[None, :, None]
    # A bin without a maximum adds nothing.
    place = argmax.flatten(2).long()
    gradient = widen(grad_output).flatten(2) * (place >= 0)
    total.index_put_((image.expand_as(place), channel.expand_as(place), place.clamp(min=0)),
                     gradient, accumulate=True)
    grad_input.copy_(total.view_as(grad_input))
