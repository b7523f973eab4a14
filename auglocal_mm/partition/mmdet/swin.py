"""mmdet's Swin transformer."""
from __future__ import annotations

from typing import Any

from mmdet.models.backbones import SwinTransformer
from torch import Tensor

from ..base import Unit, partition, require_forward
from ..features import Tokens
from ..swin import swin_units


def _embed(backbone: Any, images: Tensor) -> Tokens:
    values, resolution = backbone.patch_embed(images)
    if backbone.use_abs_pos_embed:
        values = values + backbone.absolute_pos_embed
    return Tokens(backbone.drop_after_pos(values), resolution, 0)


def _extra(block: Any, channels: int) -> dict[str, Any]:
    ratio = block.ffn.feedforward_channels / block.ffn.embed_dims
    return dict(feedforward_channels=round(ratio * channels), qk_scale=block.attn.w_msa.scale,
                qkv_bias=block.attn.w_msa.qkv.bias is not None)


@partition.register
def _partition_swin(backbone: SwinTransformer) -> tuple[Unit, ...]:
    require_forward(backbone, SwinTransformer)
    return swin_units(backbone, _embed, _extra)
