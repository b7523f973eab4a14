"""ConvNeXt: a patchify stem, then blocks; a downsampling layer joins the block after it."""
from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from mmpretrain.models.backbones import ConvNeXt
from torch import Tensor, nn

from .base import InOrder, Unit, partition, require_forward, submodule
from .fresh import fresh_like


@dataclass(frozen=True)
class ConvNeXtBlocks:
    """Builds a block like the one at `path`, after a norm and a convolution if shapes change.

    The convolution is the backbone's own kind of downsampling, 2×2 with stride 2, or
    1×1 where only the channels change.
    """
    path: str

    def __call__(self, backbone: Any, *, in_channels: int, out_channels: int,
                 stride: int) -> nn.Module:
        block = fresh_like(backbone.get_submodule(self.path))
        own = block.depthwise_conv.in_channels
        if out_channels != own:
            raise ValueError(f'a block like {self.path} has {own} channels, not {out_channels}; '
                             'ConvNeXt needs width=1.0')
        if stride == 1 and in_channels == out_channels:
            return block
        stem_norm = backbone.get_submodule('downsample_layers.0.1')
        norm = type(stem_norm)(in_channels, eps=stem_norm.eps)
        return nn.Sequential(norm, nn.Conv2d(in_channels, out_channels, stride, stride), block)


@dataclass(frozen=True)
class StageOutput:
    """A stage's output as ConvNeXt returns it: averaged first if configured, then normalised."""
    stage: int

    def __call__(self, backbone: Any, y: Tensor) -> Tensor:
        norm = submodule(backbone, f'norm{self.stage}')
        if backbone.gap_before_final_norm:
            return norm(y.mean([-2, -1], keepdim=True)).flatten(1)
        return norm(y)


class PooledNorm(nn.Module):
    """Average over all positions, then the norm: [B, C, H, W] -> [B, C].

    Args:
        norm: Norm of maps [B, C, 1, 1].
    """

    def __init__(self, norm: nn.Module) -> None:
        super().__init__()
        self.norm = norm

    def forward(self, x: Tensor) -> Tensor:
        return self.norm(x.mean([-2, -1], keepdim=True)).flatten(1)


def _pooled_norm(backbone: Any, *, channels: int) -> nn.Module:
    like = backbone.get_submodule('downsample_layers.0.1')
    return PooledNorm(type(like)(channels, eps=like.eps))


@partition.register
def _partition_convnext(backbone: ConvNeXt) -> tuple[Unit, ...]:
    require_forward(backbone, ConvNeXt)
    stem = backbone.downsample_layers[0][0]
    units = [Unit('stem', stem.out_channels, stem.stride[0], ('downsample_layers.0',),
                  InOrder(('downsample_layers.0',)), build_pooling=_pooled_norm,
                  pooling='AP-LN')]
    for index, stage in enumerate(backbone.stages):
        for number, _ in enumerate(stage):
            path = f'stages.{index}.{number}'
            # A downsampling layer alone has no nonlinearity, so it joins the block after it.
            applied = (f'downsample_layers.{index}', path) if index and not number else (path,)
            emits = number == len(stage) - 1 and index in backbone.out_indices
            channels = backbone.channels[index]
            units.append(Unit(
                path, channels, 2 if len(applied) > 1 else 1,
                (*applied, f'norm{index}') if emits else applied, InOrder(applied),
                outputs=(StageOutput(index),) if emits else (), build_block=ConvNeXtBlocks(path),
                build_pooling=_pooled_norm, stage=index + 1, symbol='CN', granularity=channels,
                pooling='AP-LN'))
    return tuple(units)
