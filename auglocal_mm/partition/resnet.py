"""ResNets and related networks: a stem, then residual blocks."""
from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from operator import attrgetter
from typing import Any

from mmpretrain.models.backbones import RegNet, ResNet, ResNet_CIFAR
from mmpretrain.models.backbones.resnext import Bottleneck as GroupedBottleneck
from torch import nn

from .base import BlockFactory, InOrder, Unit, as_it_is, partition, require_forward


@dataclass(frozen=True)
class ResNetBlock:
    """Builds a residual block of the backbone's own kind and settings."""
    dilation: int

    def __call__(self, backbone: Any, *, in_channels: int, out_channels: int,
                 stride: int) -> nn.Module:
        # The backbone's own factory knows what its family adds to a block
        # (ResNeXt's groups, SE-ResNet's squeeze ratio, ...).
        stage = backbone.make_res_layer(
            block=backbone.block, num_blocks=1, in_channels=in_channels,
            out_channels=out_channels, expansion=backbone.expansion, stride=stride,
            dilation=self.dilation, style=backbone.style, avg_down=backbone.avg_down,
            with_cp=False, conv_cfg=backbone.conv_cfg, norm_cfg=backbone.norm_cfg,
            drop_path_rate=0.0)
        return stage[0]


@dataclass(frozen=True)
class RegNetBlock:
    """Builds a grouped bottleneck with its stage's group width."""
    group_width: int
    bottleneck_ratio: float
    dilation: int

    def __call__(self, backbone: Any, *, in_channels: int, out_channels: int,
                 stride: int) -> nn.Module:
        stage = backbone.make_res_layer(
            block=GroupedBottleneck, num_blocks=1, in_channels=in_channels,
            out_channels=out_channels, expansion=1, stride=stride, dilation=self.dilation,
            style=backbone.style, avg_down=backbone.avg_down, with_cp=False,
            conv_cfg=backbone.conv_cfg, norm_cfg=backbone.norm_cfg, base_channels=out_channels,
            groups=round(out_channels * self.bottleneck_ratio) // self.group_width,
            width_per_group=self.group_width)
        return stage[0]


@partition.register
def _partition_resnet(backbone: ResNet) -> tuple[Unit, ...]:
    require_forward(backbone, ResNet, ResNet_CIFAR)
    granularity = backbone.expansion
    if hasattr(backbone, 'width_per_group') and backbone.groups > 1:  # ResNeXt
        # Its blocks split their channels into groups whose width follows from the base.
        granularity *= backbone.base_channels
    return (_stem(backbone), *residual_units(
        backbone, [ResNetBlock(dilation) for dilation in backbone.dilations],
        [granularity] * len(backbone.res_layers)))


@partition.register
def _partition_regnet(backbone: RegNet) -> tuple[Unit, ...]:
    require_forward(backbone, RegNet)
    factories = [RegNetBlock(*settings) for settings in zip(
        backbone.group_widths, backbone.bottleneck_ratio, backbone.dilations, strict=True)]
    return (_stem(backbone), *residual_units(backbone, factories, backbone.group_widths))


def residual_units(backbone: Any, factories: Sequence[BlockFactory], granularities: Sequence[int],
                   *, channels: Callable[[Any], int] = attrgetter('out_channels'),
                   ) -> tuple[Unit, ...]:
    """Return a unit for each block of the stages that ``backbone.res_layers`` names.

    Args:
        backbone: A network with ``res_layers`` and ``out_indices``.
        factories: For each stage, what builds auxiliary blocks.
        granularities: For each stage, :attr:`Unit.granularity`.
        channels: Returns the channels of a block's output.
    """
    units = []
    for index, stage in enumerate(backbone.res_layers):
        blocks = backbone.get_submodule(stage)
        for number, block in enumerate(blocks.children()):
            path = f'{stage}.{number}'
            ends = index in backbone.out_indices and number == len(blocks) - 1
            units.append(Unit(
                name=path, channels=channels(block), stride=block.stride, paths=(path,),
                forward=InOrder((path,)), outputs=(as_it_is,) if ends else (),
                build_block=factories[index], stage=index + 1,
                granularity=granularities[index]))
    return tuple(units)


def stem_unit(backbone: Any, *, deep: bool, pools: bool) -> Unit:
    """Return the stem.

    Args:
        backbone: A network with ``stem``, or ``conv1``, its norm and ``relu``.
        deep: Whether it is ``stem``.
        pools: Whether ``maxpool`` follows.
    """
    owners: tuple[str, ...]
    paths: tuple[str, ...]
    if deep:
        owners, paths, stride = ('stem',), ('stem',), 2
    else:
        owners = ('conv1', backbone.norm1_name)
        paths, stride = (*owners, 'relu'), backbone.conv1.stride[0]
    if pools:
        paths, stride = (*paths, 'maxpool'), stride * backbone.maxpool.stride
    return Unit('stem', backbone.stem_channels, stride, owners, InOrder(paths))


def _stem(backbone: ResNet) -> Unit:
    # ResNet_CIFAR has a forward pass of its own, without the pooling.
    return stem_unit(backbone, deep=backbone.deep_stem,
                     pools=type(backbone).forward is ResNet.forward)
