"""Image-level classes: which classes the image shows; the cheapest local loss."""
from __future__ import annotations

from dataclasses import replace
from typing import Any

import torch.nn.functional as F
from torch import nn

from auglocal_mm.auxiliary import Losses
from auglocal_mm.plan import (
    AuxiliaryLayer,
    BatchNorm,
    Classifier,
    Embedding,
    Linear,
    TaskHead,
)
from auglocal_mm.registry import DETECTION_LOSSES

from .batch import DetectionBatch
from .local_loss import DetectionLoss, Site


@DETECTION_LOSSES.register_module(name='image_level')
class ImageLevelClasses(DetectionLoss):
    """Binary cross entropy of each class: is an object of it in the image?

    The auxiliary network is the rule's own, which pools its map to a vector.

    Args:
        weight: See :class:`DetectionLoss`.
    """

    name = 'image_level'

    def layers(self, site: Site) -> tuple[AuxiliaryLayer, ...]:
        """See :meth:`DetectionLoss.layers`."""
        # The norm of vectors needs more images per batch than detectors train with.
        kept = [replace(layer, norm=False) if isinstance(layer, Linear) else layer
                for layer in site.network
                if not isinstance(layer, (BatchNorm, Classifier, Embedding))]
        return (*kept, TaskHead(self.name))

    def build_head(self, *, channels: int, stride: int, classes: int) -> nn.Module:
        """See :meth:`DetectionLoss.build_head`."""
        return nn.Linear(channels, classes)

    def losses(self, head: nn.Module, predictions: Any, batch: DetectionBatch) -> Losses:
        """See :meth:`DetectionLoss.losses`."""
        return {'loss_image_level': F.binary_cross_entropy_with_logits(
            predictions.float(), batch.scores.float())}
