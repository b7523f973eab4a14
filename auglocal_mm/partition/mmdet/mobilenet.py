"""mmdet's MobileNetV2."""
from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from mmdet.models.backbones import MobileNetV2
from mmdet.models.layers import InvertedResidual
from torch import nn

from ..base import Unit, partition, require_forward
from ..inverted_residual import mobilenet_units


@dataclass(frozen=True)
class MobileNetV2Block:
    """Builds an inverted residual block."""
    expand_ratio: int

    def __call__(self, backbone: Any, *, in_channels: int, out_channels: int,
                 stride: int) -> nn.Module:
        block = InvertedResidual(
            in_channels, out_channels, in_channels * self.expand_ratio, stride=stride,
            with_expand_conv=self.expand_ratio != 1, conv_cfg=backbone.conv_cfg,
            norm_cfg=backbone.norm_cfg, act_cfg=backbone.act_cfg)
        return block.requires_grad_(True)  # norm_cfg may freeze the backbone's own norms


@partition.register
def _partition_mobilenet(backbone: MobileNetV2) -> tuple[Unit, ...]:
    require_forward(backbone, MobileNetV2)
    return mobilenet_units(backbone, MobileNetV2Block)
