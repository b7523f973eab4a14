"""Hierarchical transformers: tokens on a grid of patches that shrinks from stage to stage."""
from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from mmengine.model import BaseModule, ModuleList
from torch import Tensor, nn

from .base import submodule
from .features import Features, Tokens
from .vision_transformer import TokenPooling


def apply_on_grid(part: nn.Module, x: Any) -> Tokens:
    """Apply a block, a position embedding or a patch merging; or a patch embedding, to images too.
    """
    # Patch embeddings, of which mmcv and mmdet have one each, are known by their projection.
    if hasattr(part, 'projection'):
        values, resolution = part(grid_map(x))
        return Tokens(values, resolution, 0)
    y = part(x.values, x.resolution)
    values, resolution = y if isinstance(y, tuple) else (y, x.resolution)
    return Tokens(values, resolution, 0)


def normalise(norm: nn.Module, x: Tokens) -> Tokens:
    """Apply a norm of single tokens."""
    return Tokens(norm(x.values), x.resolution, 0)


@dataclass(frozen=True)
class GridSteps:
    """Applies the parts at these dotted paths one after another, then the norm at `norm`."""
    paths: tuple[str, ...]
    norm: str | None = None

    def __call__(self, backbone: Any, x: Any) -> Tokens:
        for path in self.paths:
            x = apply_on_grid(submodule(backbone, path), x)
        return x if self.norm is None else normalise(submodule(backbone, self.norm), x)


class OnGrid(BaseModule):
    """Applies parts of a hierarchical transformer to :class:`Tokens`, one after another.

    Args:
        layers: Blocks, patch mergings or patch embeddings.
    """

    def __init__(self, *layers: nn.Module) -> None:
        super().__init__()
        self.layers = ModuleList(layers)

    def forward(self, x: Tokens) -> Tokens:
        for layer in self.layers:
            x = apply_on_grid(layer, x)
        return x


def grid_map(x: Features) -> Tensor:
    """Return images as they are, and tokens as a map [B, C, H, W] as convolutions like it."""
    return x.feature_map().contiguous() if isinstance(x, Tokens) else x


def grid_output(backbone: Any, x: Features) -> Tensor:
    """Return the tokens as a map [B, C, H, W]."""
    return grid_map(x)


def grid_pooling(backbone: nn.Module, *, channels: int) -> nn.Module:
    """Build a norm, then the average over all tokens: :class:`Tokens` -> [B, C]."""
    return TokenPooling(nn.LayerNorm(channels), nn.Identity())
