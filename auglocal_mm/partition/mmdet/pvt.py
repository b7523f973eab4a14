"""mmdet's pyramid vision transformers; a stage's patch embedding joins the block after it."""
from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from mmdet.models.backbones import PyramidVisionTransformer
from mmdet.models.backbones.pvt import AbsolutePositionEmbedding, PVTEncoderLayer
from mmdet.models.layers import PatchEmbed
from torch import nn

from ..base import Unit, partition, require_forward
from ..grid import GridSteps, OnGrid, grid_output, grid_pooling


@dataclass(frozen=True)
class PVTBlocks:
    """Builds an encoder layer like the one at `path`, after a patch embedding if shapes change.

    Its tokens already know their positions, so it adds no position embedding. Heads keep their
    width, so wider layers have more of them. Keys and values sum up as much of the
    image as the stage's own, which is fewer tokens after a stride.

    Attributes:
        path: The encoder layer.
        overlapping: Whether patches overlap, as in version 2.
    """
    path: str
    overlapping: bool

    def __call__(self, backbone: Any, *, in_channels: int, out_channels: int,
                 stride: int) -> nn.Module:
        like = backbone.get_submodule(self.path)
        width = head_width(like)
        if out_channels % width:
            raise ValueError(f'a block like {self.path} has heads of {width} channels; got '
                             f'{out_channels} channels; use a multiple of {width}')
        norm_cfg = dict(type='LN', eps=like.norm1.eps)
        # Neither stochastic depth nor dropout: these are off by default.
        layer = PVTEncoderLayer(
            out_channels, out_channels // width,
            like.ffn.feedforward_channels * out_channels // like.ffn.embed_dims,
            qkv_bias=like.attn.attn.in_proj_bias is not None, act_cfg=like.ffn.act_cfg,
            norm_cfg=norm_cfg, sr_ratio=max(1, like.attn.sr_ratio // stride),
            use_conv_ffn=isinstance(like.ffn.layers[1], nn.Conv2d))
        if stride == 1 and in_channels == out_channels:
            return OnGrid(layer)
        # Version 2 has 7×7 patches for stride 4 and 3×3 patches for stride 2.
        kernel = 2 * stride - 1 if self.overlapping else stride
        embed = PatchEmbed(in_channels, out_channels, kernel_size=kernel, stride=stride,
                           padding=kernel // 2 if self.overlapping else 'corner',
                           norm_cfg=norm_cfg)
        return OnGrid(embed, layer)


def head_width(layer: Any) -> int:
    """Return the channels of one attention head."""
    return layer.attn.embed_dims // layer.attn.num_heads


@partition.register
def _partition_pvt(backbone: PyramidVisionTransformer) -> tuple[Unit, ...]:
    require_forward(backbone, PyramidVisionTransformer)
    units: list[Unit] = []
    for index, (embed, layers, _) in enumerate(backbone.layers):
        projection = embed.projection
        first = 1 if isinstance(layers[0], AbsolutePositionEmbedding) else 0
        # What comes before the first encoder layer: the patches and their positions.
        before = [f'layers.{index}.0', *(f'layers.{index}.1.{part}' for part in range(first))]
        if index == 0:
            units.append(Unit('stem', projection.out_channels, projection.stride[0],
                              tuple(before), GridSteps(tuple(before)),
                              build_pooling=grid_pooling, pooling='LN-AP'))
            before = []
        for number in range(first, len(layers)):
            path, ends = f'layers.{index}.1.{number}', number == len(layers) - 1
            applied = (*before, path)
            norm = f'layers.{index}.2' if ends else None
            units.append(Unit(
                path, projection.out_channels, projection.stride[0] if before else 1,
                (*applied, norm) if norm else applied, GridSteps(applied, norm),
                outputs=(grid_output,) if ends and index in backbone.out_indices else (),
                build_block=PVTBlocks(path, projection.kernel_size != projection.stride),
                build_pooling=grid_pooling, stage=index + 1, symbol='PV',
                granularity=head_width(layers[number]), pooling='LN-AP'))
            before = []
    return tuple(units)
