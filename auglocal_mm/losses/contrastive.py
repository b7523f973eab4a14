"""Supervised contrastive loss (Khosla et al., 2020), one view; InfoPro's second variant."""
from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from .precision import at_least_float32, without_autocast


class SupervisedContrastiveLoss(nn.Module):
    """Pulls embeddings of one class together and the others apart.

    For every image i that shares its class with others in the batch: the mean of
    −log softmax(z_i·z_p / T) over those others p, where the softmax runs over all
    images but i. Embeddings z have unit length. A batch in which no class appears
    twice has loss 0.

    Args:
        temperature: T; 0.07 in InfoPro (section 4 of the appendix).
    """

    def __init__(self, temperature: float = 0.07) -> None:
        super().__init__()
        self.temperature = temperature

    def forward(self, embeddings: Tensor, labels: Tensor) -> Tensor:
        """Map embeddings [B, E] and labels [B] to the loss, a scalar in at least float32."""
        with without_autocast(embeddings):
            return self._loss(F.normalize(at_least_float32(embeddings), dim=1), labels)

    def _loss(self, unit: Tensor, labels: Tensor) -> Tensor:
        itself = torch.eye(len(labels), dtype=torch.bool, device=labels.device)
        similar = (labels[:, None] == labels[None]) & ~itself
        # An image is no partner of its own: exp(−∞) takes it out of the softmax.
        logits = (unit @ unit.T / self.temperature).masked_fill(itself, float('-inf'))
        # Where nothing is similar, the sum below is 0 and so is its gradient.
        log_share = logits.log_softmax(dim=1).masked_fill(~similar, 0) if len(labels) > 1 else (
            logits.masked_fill(itself, 0))
        partners = similar.sum(dim=1)
        per_image = -log_share.sum(dim=1) / partners.clamp(min=1)
        return per_image.sum() / (partners > 0).sum().clamp(min=1)
