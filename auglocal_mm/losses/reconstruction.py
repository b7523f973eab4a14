"""Reconstruction of the image from features (Wang et al., 2021), InfoPro's second loss."""
from __future__ import annotations

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from auglocal_mm.registry import LOCAL_LOSSES

from .base import FeatureLoss


@LOCAL_LOSSES.register_module(name='reconstruction')
class ReconstructionLoss(FeatureLoss):
    """Binary cross entropy between the image and a small decoder's output for the features.

    The decoder (``12C3-3C3`` in section 4 of the appendix): bilinear upsampling to
    the image's size, 3×3 convolution to 12 channels, BatchNorm2d, ReLU, 3×3
    convolution to the image's channels, sigmoid.

    Args:
        channels: Channels C of the unit's features.
        mean: The data preprocessor's, in pixel values 0 … 255, to undo the normalisation.
        std: The data preprocessor's, in pixel values 0 … 255, to undo the normalisation.
    """

    target = 'images'

    def __init__(self, channels: int, *, mean: Sequence[float], std: Sequence[float]) -> None:
        super().__init__(channels, mean=mean, std=std)
        self.decoder = nn.Sequential(
            nn.Conv2d(channels, 12, 3, padding=1), nn.BatchNorm2d(12), nn.ReLU(),
            nn.Conv2d(12, len(mean), 3, padding=1))
        self.mean: Tensor
        self.std: Tensor
        for name, values in (('mean', mean), ('std', std)):
            pixels = torch.tensor(values, dtype=torch.float32).view(-1, 1, 1)
            # Not saved: it is a setting, and a checkpoint of another normalisation must load.
            self.register_buffer(name, pixels, persistent=False)

    def forward(self, features: Tensor, images: Tensor) -> Tensor:
        """Map features [B, C, h, w] and normalised images [B, 3, H, W] to the loss, a scalar."""
        features = F.interpolate(features, images.shape[-2:], mode='bilinear', align_corners=True)
        # The clamp takes back rounding: binary cross entropy refuses targets beyond 0 and 1.
        target = ((images * self.std + self.mean) / 255).clamp(0, 1)
        # Sigmoid and binary cross entropy in one, which autocast allows.
        return F.binary_cross_entropy_with_logits(self.decoder(features).to(target.dtype), target)
