"""What flows from one unit to the next: feature maps, or a transformer's tokens."""
from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TypeAlias

from torch import Tensor


@dataclass(frozen=True)
class Tokens:
    """A transformer's tokens, with what is needed to view them as a feature map.

    Attributes:
        values: Tokens [B, L, C].
        resolution: Rows and columns of the patches.
        extra: Number of tokens before the patches, such as the class token.
    """
    values: Tensor
    resolution: tuple[int, int]
    extra: int

    def detach(self) -> Tokens:
        """Return the same values without their history."""
        return replace(self, values=self.values.detach())

    def feature_map(self) -> Tensor:
        """Return the patches' tokens as [B, C, H, W]."""
        batch, _, channels = self.values.shape
        patches = self.values[:, self.extra:].reshape(batch, *self.resolution, channels)
        return patches.permute(0, 3, 1, 2)


Features: TypeAlias = Tensor | Tokens


def feature_map(x: Features) -> Tensor:
    """Return features as a map [B, C, H, W]."""
    return x.feature_map() if isinstance(x, Tokens) else x


def requires_grad(x: Features) -> bool:
    """Tell whether features have a history that leads to something trainable."""
    return (x.values if isinstance(x, Tokens) else x).requires_grad
