"""MobileNetV2 and EfficientNet: a stem, inverted residual blocks, a last 1×1 convolution."""
from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

from mmcv.cnn import ConvModule
from mmpretrain.models.backbones import EfficientNet, MobileNetV2
from mmpretrain.models.backbones.efficientnet import EdgeResidual
from mmpretrain.models.backbones.mobilenet_v2 import InvertedResidual as MobileNetBlock
from mmpretrain.models.utils import InvertedResidual as MBConv
from torch import nn

from .base import BlockFactory, InOrder, Unit, as_it_is, partition, require_forward


@dataclass(frozen=True)
class MobileNetV2Block:
    """Builds an inverted residual block of MobileNetV2."""
    expand_ratio: int

    def __call__(self, backbone: Any, *, in_channels: int, out_channels: int,
                 stride: int) -> nn.Module:
        return MobileNetBlock(
            in_channels, out_channels, stride, self.expand_ratio, conv_cfg=backbone.conv_cfg,
            norm_cfg=backbone.norm_cfg, act_cfg=backbone.act_cfg)


@dataclass(frozen=True)
class PointwiseConv:
    """Builds MobileNetV2's last unit: a 1×1 convolution with norm and activation."""

    def __call__(self, backbone: Any, *, in_channels: int, out_channels: int,
                 stride: int) -> nn.Module:
        conv = ConvModule(in_channels, out_channels, 1, stride=stride, conv_cfg=backbone.conv_cfg,
                          norm_cfg=backbone.norm_cfg, act_cfg=backbone.act_cfg)
        return conv.requires_grad_(True)  # norm_cfg may freeze the backbone's own norms


@dataclass(frozen=True)
class EfficientNetBlock:
    """Builds an MBConv, or for EdgeTPU networks an edge residual, with these settings."""
    kernel_size: int
    se_ratio: int
    expand_ratio: int
    edge: bool
    with_residual: bool

    def __call__(self, backbone: Any, *, in_channels: int, out_channels: int,
                 stride: int) -> nn.Module:
        build = partial(EdgeResidual, with_residual=self.with_residual) if self.edge else MBConv
        hidden = in_channels * self.expand_ratio
        squeeze = dict(channels=hidden, ratio=self.expand_ratio * self.se_ratio, divisor=1,
                       act_cfg=(backbone.act_cfg, dict(type='Sigmoid')))
        return build(
            in_channels=in_channels, out_channels=out_channels, mid_channels=hidden,
            kernel_size=self.kernel_size, stride=stride,
            se_cfg=squeeze if self.se_ratio > 0 else None, conv_cfg=backbone.conv_cfg,
            norm_cfg=backbone.norm_cfg, act_cfg=backbone.act_cfg)


@partition.register
def _partition_mobilenet(backbone: MobileNetV2) -> tuple[Unit, ...]:
    require_forward(backbone, MobileNetV2)
    return mobilenet_units(backbone, MobileNetV2Block)


def mobilenet_units(backbone: Any, block_factory: Callable[[int], BlockFactory],
                    ) -> tuple[Unit, ...]:
    """Return the units of a MobileNetV2, of mmpretrain or of mmdet.

    Args:
        backbone: The network.
        block_factory: Returns, for an expansion ratio, what builds auxiliary blocks.
    """
    units = [Unit('stem', backbone.conv1.out_channels, backbone.conv1.conv.stride[0],
                  ('conv1',), InOrder(('conv1',)))]
    for index, (expand_ratio, *_) in enumerate(backbone.arch_settings):
        stage = backbone.get_submodule(backbone.layers[index])
        for number, block in enumerate(stage):
            path = f'{backbone.layers[index]}.{number}'
            ends = index in backbone.out_indices and number == len(stage) - 1
            convs = [part for part in block.modules() if isinstance(part, nn.Conv2d)]
            units.append(Unit(
                path, convs[-1].out_channels, max(conv.stride[0] for conv in convs), (path,),
                InOrder((path,)), outputs=(as_it_is,) if ends else (),
                build_block=block_factory(expand_ratio), stage=index + 1, symbol='IR'))
    emits = len(backbone.arch_settings) in backbone.out_indices
    units.append(Unit(
        'conv2', backbone.conv2.out_channels, 1, ('conv2',), InOrder(('conv2',)),
        outputs=(as_it_is,) if emits else (), build_block=PointwiseConv(),
        stage=len(backbone.arch_settings), symbol='C1'))
    return tuple(units)


@partition.register
def _partition_efficientnet(backbone: EfficientNet) -> tuple[Unit, ...]:
    """Cut an EfficientNet; its last 1×1 convolution joins the last block (N = 17, as printed)."""
    require_forward(backbone, EfficientNet)
    last = len(backbone.layers) - 1
    stem = backbone.layers[0].conv
    units = [Unit('stem', stem.out_channels, stem.stride[0], ('layers.0',),
                  InOrder(('layers.0',)),
                  outputs=(as_it_is,) if 0 in backbone.out_indices else ())]
    final = InOrder((f'layers.{last}',))
    for stage in range(1, last):
        settings = backbone.layer_setting[stage]
        for number, (kernel, _, se_ratio, stride, expand, kind) in enumerate(settings):
            block = backbone.layers[stage][number]
            edge = kind == 1
            # mmpretrain's own rule for the later blocks of EdgeTPU networks.
            slim = edge and number > 0 and expand == 3
            conv = block.conv2 if edge else block.linear_conv
            path = f'layers.{stage}.{number}'
            ends = number == len(settings) - 1
            outputs: list[Any] = [as_it_is] if ends and stage in backbone.out_indices else []
            ends_all = ends and stage == last - 1
            if ends_all and last in backbone.out_indices:
                outputs.append(final)
            units.append(Unit(
                path, conv.out_channels, stride,
                (path, f'layers.{last}') if ends_all else (path,), InOrder((path,)),
                outputs=tuple(outputs), stage=stage, symbol='ER' if edge else 'MB',
                build_block=EfficientNetBlock(kernel, se_ratio, 4 if slim else expand, edge,
                                              not slim)))
    return tuple(units)
