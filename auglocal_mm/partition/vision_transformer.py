"""Vision transformers: patch and position embedding, then encoder layers, on tokens."""
from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from mmengine.model import BaseModule
from mmpretrain.models.backbones import VisionTransformer
from mmpretrain.models.utils import resize_pos_embed
from torch import Tensor, nn

from .base import Unit, partition, require_forward, submodule
from .features import Tokens
from .fresh import fresh_like


def _embed(backbone: Any, images: Tensor) -> Tokens:
    """Run everything before the first encoder layer."""
    x, resolution = backbone.patch_embed(images)
    if backbone.cls_token is not None:
        x = torch.cat((backbone.cls_token.expand(len(x), -1, -1), x), dim=1)
    x = x + resize_pos_embed(
        backbone.pos_embed, backbone.patch_resolution, resolution,
        mode=backbone.interpolate_mode, num_extra_tokens=backbone.num_extra_tokens)
    x = backbone.pre_norm(backbone.drop_after_pos(x))
    return Tokens(x, tuple(resolution), backbone.num_extra_tokens)


class OnTokens(BaseModule):
    """Applies an encoder layer to :class:`Tokens`.

    Args:
        layer: Maps [B, L, C] to [B, L, C].
    """

    def __init__(self, layer: nn.Module) -> None:
        super().__init__()
        self.layer = layer

    def forward(self, x: Tokens) -> Tokens:
        return Tokens(self.layer(x.values), x.resolution, x.extra)


@dataclass(frozen=True)
class EncoderLayer:
    """Runs the encoder layer at `path` and builds fresh layers like it."""
    path: str

    def __call__(self, backbone: Any, x: Tokens) -> Tokens:
        return Tokens(submodule(backbone, self.path)(x.values), x.resolution, x.extra)

    def build(self, backbone: Any, *, in_channels: int, out_channels: int,
              stride: int) -> nn.Module:
        if (in_channels, stride) != (out_channels, 1) or in_channels != backbone.embed_dims:
            raise ValueError(
                f'an encoder layer like {self.path} keeps {backbone.embed_dims} channels and the '
                f'number of tokens; got {in_channels} -> {out_channels} channels, stride {stride}; '
                'transformers need width=1.0 and downsample=False')
        return OnTokens(fresh_like(backbone.get_submodule(self.path)))


@dataclass(frozen=True)
class Output:
    """Tokens as the transformer returns them; those of the last layer are normalised."""
    last: bool

    def __call__(self, backbone: Any, x: Tokens) -> Tensor:
        values = x.values
        if self.last and backbone.final_norm:
            values = backbone.ln1(values)
        return backbone._format_output(values, x.resolution)


class TokenPooling(nn.Module):
    """Pools tokens to a vector [B, C] as the backbone does.

    Args:
        norm: Norm of all tokens, or identity.
        pooled_norm: Norm of the averaged patches, or ``None`` to take the first
            token instead.
    """

    def __init__(self, norm: nn.Module, pooled_norm: nn.Module | None) -> None:
        super().__init__()
        self.norm = norm
        self.pooled_norm = pooled_norm

    def forward(self, x: Tokens) -> Tensor:
        values = self.norm(x.values)
        if self.pooled_norm is None:
            return values[:, 0]
        return self.pooled_norm(values[:, x.extra:].mean(dim=1))


def _token_pooling(backbone: Any, *, channels: int) -> nn.Module:
    norm = fresh_like(backbone.ln1) if backbone.final_norm else nn.Identity()
    if backbone.out_type == 'cls_token':
        return TokenPooling(norm, None)
    averaged = fresh_like(backbone.ln2) if backbone.out_type == 'avg_featmap' else nn.Identity()
    return TokenPooling(norm, averaged)


@partition.register
def _partition_vision_transformer(backbone: VisionTransformer) -> tuple[Unit, ...]:
    require_forward(backbone, VisionTransformer)
    pooling = 'CLS' if backbone.out_type == 'cls_token' else 'AP'
    owned = [name for name, part in (
        ('cls_token', backbone.cls_token), ('pos_embed', backbone.pos_embed),
        ('patch_embed', backbone.patch_embed), ('pre_norm', backbone.pre_norm))
        if part is not None]
    kernel = backbone.patch_embed.projection.stride[0]
    units = [Unit('stem', backbone.embed_dims, kernel, tuple(owned), _embed,
                  build_pooling=_token_pooling, pooling=pooling)]
    norms = [name for name in ('ln1', 'ln2') if hasattr(backbone, name)
             and (name == 'ln2' or backbone.final_norm)]
    for index in range(len(backbone.layers)):
        path = f'layers.{index}'
        last = index == len(backbone.layers) - 1
        layer = EncoderLayer(path)
        units.append(Unit(
            path, backbone.embed_dims, 1, (path, *norms) if last else (path,), layer,
            outputs=(Output(last),) if index in backbone.out_indices else (),
            build_block=layer.build, build_pooling=_token_pooling, symbol='T',
            granularity=backbone.embed_dims, pooling=pooling))
    return tuple(units)
