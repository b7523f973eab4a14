"""Swin transformers: patch embedding, then windowed blocks; a merging joins the block after it."""
from __future__ import annotations

import copy
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from mmcv.cnn.bricks.transformer import PatchMerging
from mmpretrain.models.backbones import SwinTransformer
from mmpretrain.models.utils import resize_pos_embed
from torch import Tensor, nn

from .base import Unit, partition, require_forward, submodule
from .features import Tokens
from .grid import GridSteps, OnGrid, grid_map, grid_pooling, normalise


@dataclass(frozen=True)
class SwinBlocks:
    """Builds a block like the one at `path`, after a patch merging if shapes change.

    The merging is the backbone's own kind, of 2×2 patches for stride 2, or of 1×1 where only
    the channels change. Heads keep their width, so wider blocks have more of them.

    Attributes:
        path: The block.
        extra: Returns what its class takes beside the settings that all Swin blocks share,
            from the block and the new number of channels.
    """
    path: str
    extra: Callable[[Any, int], dict[str, Any]]

    def __call__(self, backbone: Any, *, in_channels: int, out_channels: int,
                 stride: int) -> nn.Module:
        like = backbone.get_submodule(self.path)
        width = head_width(like)
        if out_channels % width:
            raise ValueError(f'a block like {self.path} has heads of {width} channels; got '
                             f'{out_channels} channels; use a multiple of {width}')
        norm_cfg = dict(type='LN', eps=like.norm1.eps)
        # Neither stochastic depth nor dropout nor checkpointing: these are off by default.
        block = type(like)(
            embed_dims=out_channels, num_heads=out_channels // width,
            window_size=like.attn.window_size, shift=like.attn.shift_size > 0,
            norm_cfg=norm_cfg, **self.extra(like, out_channels))
        block.ffn.layers[0][1] = copy.deepcopy(like.ffn.layers[0][1])  # the activation
        if stride == 1 and in_channels == out_channels:
            return OnGrid(block)
        merging = PatchMerging(in_channels, out_channels, kernel_size=stride, norm_cfg=norm_cfg)
        return OnGrid(merging, block)


def head_width(block: Any) -> int:
    """Return the channels of one attention head."""
    return block.attn.w_msa.embed_dims // block.attn.w_msa.num_heads


@dataclass(frozen=True)
class SwinOutput:
    """A stage's tokens, normalised, as a map [B, C, H, W]."""
    stage: int

    def __call__(self, backbone: Any, x: Tokens) -> Tensor:
        norm = submodule(backbone, f'norm{self.stage}')
        return grid_map(normalise(norm, x))


def swin_units(backbone: Any, embed: Callable[[Any, Tensor], Tokens],
               extra: Callable[[Any, int], dict[str, Any]], *,
               merges_first: bool = True) -> tuple[Unit, ...]:
    """Return the units of a Swin transformer.

    Args:
        backbone: The transformer, of mmpretrain or of mmdet.
        embed: Runs everything before the first block.
        extra: See :class:`SwinBlocks`.
        merges_first: Whether a patch merging joins the block after it. Its stage may output
            what is before it, so it joins the block before only where the stage outputs what
            is after it.
    """
    stem = backbone.patch_embed.projection
    owned = [name for name in ('patch_embed', 'absolute_pos_embed') if hasattr(backbone, name)]
    units = [Unit('stem', stem.out_channels, stem.stride[0], tuple(owned), embed,
                  build_pooling=grid_pooling, pooling='LN-AP')]
    before: str | None = None  # the merging that waits for the next block
    for index, stage in enumerate(backbone.stages):
        for number, block in enumerate(stage.blocks):
            path = f'stages.{index}.blocks.{number}'
            applied = [before, path] if before else [path]
            before = None
            ends = number == len(stage.blocks) - 1
            if ends and stage.downsample is not None:
                if merges_first:
                    before = f'stages.{index}.downsample'
                else:
                    applied.append(f'stages.{index}.downsample')
            units.append(_unit(backbone, path, applied, block, extra,
                               stage=index, emits=ends and index in backbone.out_indices))
    return tuple(units)


def _unit(backbone: Any, path: str, applied: list[str], block: Any,
          extra: Callable[[Any, int], dict[str, Any]], *, stage: int, emits: bool) -> Unit:
    channels, stride = block.attn.w_msa.embed_dims, 1
    for other in applied:
        if other != path:
            merging = backbone.get_submodule(other)
            stride = _side(merging.sampler.stride)
            if applied[-1] == other:
                channels = merging.out_channels
    return Unit(
        path, channels, stride, (*applied, f'norm{stage}') if emits else tuple(applied),
        GridSteps(tuple(applied)), outputs=(SwinOutput(stage),) if emits else (),
        build_block=SwinBlocks(path, extra), build_pooling=grid_pooling, stage=stage + 1,
        symbol='SW', granularity=head_width(block), pooling='LN-AP')


def _side(size: int | tuple[int, int]) -> int:
    return size if isinstance(size, int) else size[0]


def _embed(backbone: Any, images: Tensor) -> Tokens:
    values, resolution = backbone.patch_embed(images)
    if backbone.use_abs_pos_embed:
        values = values + resize_pos_embed(
            backbone.absolute_pos_embed, backbone.patch_resolution, resolution,
            backbone.interpolate_mode, backbone.num_extra_tokens)
    return Tokens(backbone.drop_after_pos(values), resolution, 0)


def _extra(block: Any, channels: int) -> dict[str, Any]:
    own = block.ffn.embed_dims
    attention = dict(qkv_bias=block.attn.w_msa.qkv.bias is not None,
                     qk_scale=block.attn.w_msa.scale)
    # An auxiliary network may shrink its map below a window.
    return dict(pad_small_map=True, attn_cfgs=attention,
                ffn_ratio=block.ffn.feedforward_channels / own)


@partition.register
def _partition_swin(backbone: SwinTransformer) -> tuple[Unit, ...]:
    require_forward(backbone, SwinTransformer)
    return swin_units(backbone, _embed, _extra, merges_first=not backbone.out_after_downsample)
