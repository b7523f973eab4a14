"""mmdet's ResNets and related networks: a stem, then residual blocks."""
from __future__ import annotations

from dataclasses import dataclass
from math import lcm
from typing import Any

from mmdet.models.backbones import RegNet, Res2Net, ResNet, TridentResNet
from mmdet.models.backbones.resnext import Bottleneck
from mmdet.models.layers import ResLayer
from torch import nn

from ..base import Unit, partition, require_forward, unsupported
from ..resnet import residual_units, stem_unit


@dataclass(frozen=True)
class ResNetBlock:
    """Builds a residual block of the backbone's own kind, without DCN and plugins."""
    dilation: int

    def __call__(self, backbone: Any, *, in_channels: int, out_channels: int,
                 stride: int) -> nn.Module:
        # In Res2Net, the first block of a stage lacks what links its scales.
        later = isinstance(backbone, Res2Net) and stride == 1 and in_channels == out_channels
        # The backbone's own factory knows what its family adds to a block: groups, scales, radix.
        stage = backbone.make_res_layer(
            block=backbone.block, num_blocks=2 if later else 1,
            planes=out_channels // backbone.block.expansion, inplanes=in_channels,
            **_plain(backbone), stride=stride, dilation=self.dilation)
        return stage[-1].requires_grad_(True)


class RegNetBottleneck(Bottleneck):
    """A grouped bottleneck as wide inside as outside.

    mmdet's RegNet sets the expansion of its block's class while it builds, and restores it.
    """
    expansion = 1


@dataclass(frozen=True)
class RegNetBlock:
    """Builds a grouped bottleneck with its stage's group width, without DCN and plugins."""
    group_width: int
    bottleneck_ratio: float
    dilation: int

    def __call__(self, backbone: Any, *, in_channels: int, out_channels: int,
                 stride: int) -> nn.Module:
        stage = ResLayer(
            block=RegNetBottleneck, num_blocks=1, inplanes=in_channels, planes=out_channels,
            base_channels=out_channels, base_width=self.group_width,
            groups=round(out_channels * self.bottleneck_ratio) // self.group_width,
            **_plain(backbone), stride=stride, dilation=self.dilation)
        return stage[0].requires_grad_(True)


def _plain(backbone: Any) -> dict[str, Any]:
    """Return the settings that an auxiliary block shares with the backbone's own blocks.

    DCN and plugins (context, attention) stay out: they are meant for late stages, and an
    auxiliary network is to be cheap. The caller also unfreezes the block, because
    ``norm_cfg.requires_grad=False`` is for norms that keep pre-trained statistics.
    """
    return dict(style=backbone.style, avg_down=backbone.avg_down, with_cp=False, dcn=None,
                plugins=None, conv_cfg=backbone.conv_cfg, norm_cfg=backbone.norm_cfg)


@partition.register
def _partition_resnet(backbone: ResNet) -> tuple[Unit, ...]:
    require_forward(backbone, ResNet)
    if isinstance(backbone, TridentResNet):  # Its last stage takes and returns lists.
        raise unsupported(backbone)
    factories = [ResNetBlock(dilation) for dilation in backbone.dilations]
    granularities = [_granularity(backbone)] * len(factories)
    return (stem_unit(backbone, deep=backbone.deep_stem, pools=True),
            *residual_units(backbone, factories, granularities, channels=_channels))


def _granularity(backbone: Any) -> int:
    # Blocks that split their channels take the width of a part from the base.
    parts = [getattr(backbone, name, 1) for name in ('groups', 'scales', 'radix')]
    base = backbone.base_channels if max(parts) > 1 else 1
    return backbone.block.expansion * lcm(base, _norm_groups(backbone))


def _norm_groups(backbone: Any) -> int:
    """Return what a GroupNorm divides channels by, else 1."""
    return (backbone.norm_cfg or {}).get('num_groups', 1)


@partition.register
def _partition_regnet(backbone: RegNet) -> tuple[Unit, ...]:
    require_forward(backbone, RegNet)
    factories = [RegNetBlock(*settings) for settings in zip(
        backbone.group_widths, backbone.bottleneck_ratio, backbone.dilations, strict=True)]
    # It has no deep stem, whatever its settings say.
    return (stem_unit(backbone, deep=False, pools=False),
            *residual_units(backbone, factories, backbone.group_widths, channels=_channels))


def _channels(block: Any) -> int:
    last = block.conv3 if hasattr(block, 'conv3') else block.conv2
    return last.out_channels
