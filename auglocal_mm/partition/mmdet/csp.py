"""mmdet's CSPDarknet (YOLOX) and CSPNeXt (RTMDet): a stem, then stages."""
from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from mmcv.cnn import ConvModule, DepthwiseSeparableConvModule
from mmdet.models.backbones import CSPDarknet, CSPNeXt
from mmdet.models.layers import CSPLayer
from mmdet.models.layers.csp_layer import CSPNeXtBlock
from torch import nn

from ..base import InOrder, Unit, as_it_is, partition, require_forward


@dataclass(frozen=True)
class CSPBlocks:
    """Builds a cross-stage layer like that of the stage at `path`, after a convolution if needed.

    It has one block, and no pooling of several sizes: an auxiliary network is to be cheap.
    """
    path: str

    def __call__(self, backbone: Any, *, in_channels: int, out_channels: int,
                 stride: int) -> nn.Module:
        like = backbone.get_submodule(self.path)[-1]
        cfgs = dict(conv_cfg=like.main_conv.conv_cfg, norm_cfg=like.main_conv.norm_cfg,
                    act_cfg=like.main_conv.act_cfg)
        layer = CSPLayer(
            out_channels, out_channels, num_blocks=1, add_identity=like.blocks[0].add_identity,
            expand_ratio=like.main_conv.out_channels / like.final_conv.out_channels,
            use_cspnext_block=isinstance(like.blocks[0], CSPNeXtBlock),
            use_depthwise=backbone.use_depthwise, channel_attention=like.channel_attention, **cfgs)
        if stride == 1 and in_channels == out_channels:
            return layer.requires_grad_(True)
        kind = DepthwiseSeparableConvModule if backbone.use_depthwise else ConvModule
        conv = kind(in_channels, out_channels, 3, stride=stride, padding=1, **cfgs)
        return nn.Sequential(conv, layer).requires_grad_(True)


@partition.register(CSPDarknet)
@partition.register(CSPNeXt)
def _partition_csp(backbone: Any) -> tuple[Unit, ...]:
    """Cut into stages, because a cross-stage layer keeps its input until its end."""
    require_forward(backbone, CSPDarknet, CSPNeXt)
    units = []
    for index, path in enumerate(backbone.layers):
        convs = [part for part in backbone.get_submodule(path).modules()
                 if isinstance(part, nn.Conv2d)]
        stem = index == 0
        # A Focus takes every other row and column before it convolves.
        stride = 2 if stem else max(conv.stride[0] for conv in convs)
        channels = convs[-1].out_channels if stem else (
            backbone.get_submodule(path)[-1].final_conv.out_channels)
        units.append(Unit(
            path, channels, stride, (path,), InOrder((path,)),
            outputs=(as_it_is,) if index in backbone.out_indices else (),
            build_block=None if stem else CSPBlocks(path), stage=max(1, index), symbol='CSP',
            granularity=1 if stem else 2))
    return tuple(units)
