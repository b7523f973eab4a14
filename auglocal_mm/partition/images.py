"""What images a backbone reads."""
from __future__ import annotations

from torch import nn


def image_channels(backbone: nn.Module) -> int:
    """Return the channels of the images: those of the first convolution, or 3 without any."""
    return next((part.in_channels for part in backbone.modules()
                 if isinstance(part, nn.Conv2d)), 3)
