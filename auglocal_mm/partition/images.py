"""What images a backbone reads."""
from __future__ import annotations

from collections.abc import Sequence
from math import prod
from typing import Any

from torch import nn

#: Sides of CIFAR's and ImageNet's images, for networks that do not state their own.
SMALL, USUAL = 32, 224
#: A network made for small images shrinks their sides at most by this factor.
SMALL_STRIDE = 8


def image_channels(backbone: nn.Module) -> int:
    """Return the channels of the images: those of the first convolution, or 3 without any."""
    return next((part.in_channels for part in backbone.modules()
                 if isinstance(part, nn.Conv2d)), 3)


def image_side(backbone: Any, strides: Sequence[int]) -> tuple[int, int]:
    """Return the height and width of images that the backbone is made for.

    Args:
        backbone: The backbone. Transformers state the size (``img_size``).
        strides: Stride of each unit. Networks without a size are made for images of 32 pixels
            if they shrink a side at most to an eighth, and else for 224.
    """
    patches = getattr(backbone, 'patch_embed', None)
    own = getattr(backbone, 'img_size', None) or getattr(patches, 'init_input_size', None)
    if own is None:
        own = SMALL if prod(strides) <= SMALL_STRIDE else USUAL
    return (own, own) if isinstance(own, int) else (int(own[0]), int(own[1]))
