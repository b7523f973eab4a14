"""Similarity matching (Nøkland and Eidnes, 2019), as PredSim uses it."""
from __future__ import annotations

from collections.abc import Sequence

import torch.nn.functional as F
from torch import Tensor, nn

from auglocal_mm.registry import LOCAL_LOSSES

from .base import FeatureLoss
from .precision import at_least_float32, without_autocast


@LOCAL_LOSSES.register_module(name='similarity')
class SimilarityMatchingLoss(FeatureLoss):
    """Makes images as similar to each other as their labels are.

    Mean squared difference of two cosine similarity matrices [B, B]: of the
    spatial standard deviations of every channel behind a 3×3 convolution, and
    of the labels' scores. Section 4 of the appendix.

    Args:
        channels: Channels C of the local layer's features.
        mean, std: Not used.
    """

    target = 'scores'

    def __init__(self, channels: int, *, mean: Sequence[float] = (),
                 std: Sequence[float] = ()) -> None:
        super().__init__(channels, mean=mean, std=std)
        self.conv = nn.Conv2d(channels, channels, 3, padding=1, bias=False)

    def forward(self, features: Tensor, scores: Tensor) -> Tensor:
        """Features [B, C, H, W] and class scores [B, classes] -> loss, a scalar."""
        maps = at_least_float32(self.conv(features)).flatten(2)
        # One position alone has no spread: 0, where the unbiased estimate is 0/0.
        spread = maps.std(dim=2, correction=min(1, maps.shape[2] - 1))
        with without_autocast(maps):
            return F.mse_loss(similarity_matrix(spread), similarity_matrix(scores.to(spread)))


def similarity_matrix(vectors: Tensor) -> Tensor:
    """Cosine similarity of every pair, each vector centred first: [B, C] -> [B, B]."""
    centred = F.normalize(vectors - vectors.mean(dim=1, keepdim=True), dim=1)
    return (centred @ centred.T).clamp(-1, 1)
