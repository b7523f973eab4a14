"""From a plan's layer to a module, by kind of layer."""
from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import singledispatch
from typing import Protocol

import torch.nn.functional as F
from torch import Tensor, nn

from auglocal_mm import plan
from auglocal_mm.partition import Unit, global_pooling

from .norms import with_group_norms


class HeadFactory(Protocol):
    """Builds what a task's local loss ends in."""

    def __call__(self, *, channels: int, stride: int) -> nn.Module:
        """Return a head for features of `channels` channels, `stride` pixels a position."""
        ...


@dataclass(frozen=True)
class BuildContext:
    """What building an auxiliary network requires.

    Attributes:
        backbone: The backbone that it belongs to.
        units: The backbone's units by name.
        num_classes: Number of classes.
        mean, std: The data preprocessor's, in pixel values 0 … 255.
        heads: What a ``TaskHead`` is built by, by the name of its loss.
        group_norms: Whether blocks and convolutions have GroupNorms instead of batch norms.
    """
    backbone: nn.Module
    units: Mapping[str, Unit]
    num_classes: int
    mean: tuple[float, ...] = (0.0, 0.0, 0.0)
    std: tuple[float, ...] = (1.0, 1.0, 1.0)
    heads: Mapping[str, HeadFactory] = field(default_factory=dict)
    group_norms: bool = False

    def normed(self, module: nn.Module) -> nn.Module:
        """Return a block, all of it trainable, with the norms that this context asks for."""
        # A backbone whose norms are frozen (norm_cfg.requires_grad=False) builds blocks like it.
        return (with_group_norms(module) if self.group_norms else module).requires_grad_(True)


@singledispatch
def build_layer(layer: plan.AuxiliaryLayer, channels: int,
                context: BuildContext) -> tuple[nn.Module, int]:
    """Build a layer for inputs of `channels` channels.

    Returns:
        The module and the channels of its output.

    Raises:
        TypeError: The layer is of an unknown kind.
        ValueError: No such block can be built for this backbone.
    """
    raise TypeError(f'a plan cannot hold a {type(layer).__name__}')


@build_layer.register
def _(layer: plan.Block, channels: int, context: BuildContext) -> tuple[nn.Module, int]:
    build = context.units[layer.source].build_block
    if build is None:
        raise ValueError(f'no auxiliary block can be built like {layer.source}; set '
                         "block='conv3x3' in model.local or give its Unit a build_block")
    block = build(context.backbone, in_channels=channels, out_channels=layer.channels,
                  stride=layer.stride)
    return context.normed(block), layer.channels


@build_layer.register
def _(layer: plan.OwnPooling, channels: int, context: BuildContext) -> tuple[nn.Module, int]:
    return context.units[layer.source].build_pooling(context.backbone, channels=channels), channels


@build_layer.register
def _(layer: plan.Conv, channels: int, context: BuildContext) -> tuple[nn.Module, int]:
    conv = nn.Conv2d(channels, layer.channels, layer.kernel_size, layer.stride,
                     layer.kernel_size // 2, bias=False)
    parts = nn.Sequential(conv, nn.BatchNorm2d(layer.channels), nn.ReLU(inplace=True))
    return context.normed(parts), layer.channels


@build_layer.register
def _(layer: plan.GlobalPooling, channels: int, context: BuildContext) -> tuple[nn.Module, int]:
    return global_pooling(), channels


@build_layer.register
def _(layer: plan.HalvingPooling, channels: int, context: BuildContext) -> tuple[nn.Module, int]:
    # ceil_mode: a map with a single row or column stays one.
    return nn.AvgPool2d(2, ceil_mode=True), channels


@build_layer.register
def _(layer: plan.QuarterPooling, channels: int, context: BuildContext) -> tuple[nn.Module, int]:
    return QuarterPool(), channels


@build_layer.register
def _(layer: plan.FixedPooling, channels: int, context: BuildContext) -> tuple[nn.Module, int]:
    pool = FixedPool(layer.height, layer.width)
    return nn.Sequential(pool, nn.Flatten(1)), channels * layer.height * layer.width


@build_layer.register
def _(layer: plan.FlatPooling, channels: int, context: BuildContext) -> tuple[nn.Module, int]:
    return nn.Sequential(nn.Flatten(1), nn.AdaptiveAvgPool1d(layer.features)), layer.features


@build_layer.register
def _(layer: plan.BatchNorm, channels: int, context: BuildContext) -> tuple[nn.Module, int]:
    return nn.BatchNorm1d(channels), channels


@build_layer.register
def _(layer: plan.Linear, channels: int, context: BuildContext) -> tuple[nn.Module, int]:
    parts: list[nn.Module] = [nn.Linear(channels, layer.features, bias=layer.bias)]
    if layer.norm:
        parts.append(nn.BatchNorm1d(layer.features))
    return nn.Sequential(*parts, nn.ReLU(inplace=True)), layer.features


@build_layer.register
def _(layer: plan.Classifier, channels: int, context: BuildContext) -> tuple[nn.Module, int]:
    # A task that states no classes would get a layer without outputs, and a loss of nothing.
    if context.num_classes < 1:
        raise ValueError('a network that ends in a Classifier needs at least 1 class, got '
                         f'{context.num_classes}; give the task a num_classes')
    return nn.Linear(channels, context.num_classes), context.num_classes


@build_layer.register
def _(layer: plan.Embedding, channels: int, context: BuildContext) -> tuple[nn.Module, int]:
    return nn.Linear(channels, layer.features), layer.features


@build_layer.register
def _(layer: plan.TaskHead, channels: int, context: BuildContext) -> tuple[nn.Module, int]:
    if layer.loss not in context.heads:
        raise ValueError(f'the model\'s task has no loss {layer.loss!r} that could build a head; '
                         f'it has {", ".join(context.heads) or "none"}')
    return context.heads[layer.loss](channels=channels, stride=layer.stride), channels


class QuarterPool(nn.Module):
    """Average pooling of a side s to ⌈s/4⌉, for any image size."""

    def forward(self, x: Tensor) -> Tensor:
        """Pool [B, C, H, W] -> [B, C, ⌈H/4⌉, ⌈W/4⌉]."""
        return average_pool(x, -(-x.shape[2] // 4), -(-x.shape[3] // 4))


class FixedPool(nn.Module):
    """Average pooling to `height` × `width`, for any image size."""

    def __init__(self, height: int, width: int) -> None:
        super().__init__()
        self.size = height, width

    def forward(self, x: Tensor) -> Tensor:
        """Pool [B, C, H, W] -> [B, C, height, width]."""
        return average_pool(x, *self.size)

    def extra_repr(self) -> str:
        return f'{self.size}'


def average_pool(x: Tensor, height: int, width: int) -> Tensor:
    """Pool by averages: [B, C, H, W] -> [B, C, height, width].

    The windows are equal where that fits, as in the compared methods, and adaptive
    otherwise.
    """
    rows, columns = x.shape[2] // height, x.shape[3] // width
    if (rows * height, columns * width) == tuple(x.shape[2:]):
        return F.avg_pool2d(x, (rows, columns))
    return F.adaptive_avg_pool2d(x, (height, width))
