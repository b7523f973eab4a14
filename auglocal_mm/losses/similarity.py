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
    """Makes features as similar to each other as their labels are.

    The mean squared difference of two cosine similarity matrices [B, B]: one of
    every channel's spatial standard deviation after a 3×3 convolution, one of the
    labels' scores. Section 4 of the appendix.

    Args:
        channels: Channels C of the unit's features.
        mean: Not used.
        std: Not used.
    """

    target = 'scores'

    def __init__(self, channels: int, *, mean: Sequence[float] = (),
                 std: Sequence[float] = ()) -> None:
        super().__init__(channels, mean=mean, std=std)
        self.conv = nn.Conv2d(channels, channels, 3, padding=1, bias=False)

    def forward(self, features: Tensor, scores: Tensor) -> Tensor:
        """Map features [B, C, H, W] and class scores [B, classes] to the loss, a scalar."""
        maps = at_least_float32(self.conv(features)).flatten(2)
        # A single position has no spread: 0, where the unbiased estimate would be 0/0.
        spread = maps.std(dim=2, correction=min(1, maps.shape[2] - 1))
        with without_autocast(maps):
            return F.mse_loss(similarity_matrix(spread), similarity_matrix(scores.to(spread)))


def similarity_matrix(vectors: Tensor) -> Tensor:
    """Compute the cosine similarity of every pair of centred vectors: [B, C] -> [B, B]."""
    centred = F.normalize(vectors - vectors.mean(dim=1, keepdim=True), dim=1)
    # Rounding can carry a cosine past 1; the paper's code clamps it as well.
    return (centred @ centred.T).clamp(-1, 1)
