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
    Block,
    Classifier,
    Conv,
    Embedding,
    GlobalPooling,
    Linear,
    TaskHead,
    dense_layers,
)
from auglocal_mm.registry import DETECTION_LOSSES

from .batch import DetectionBatch
from .local_loss import DetectionLoss, Site

#: Pixels between two positions at which halving ends, as in backbones.
STRIDE = 32


@DETECTION_LOSSES.register_module(name='image_level')
class ImageLevelClasses(DetectionLoss):
    """Binary cross entropy of each class: is an object of it in the image?

    The auxiliary network is the rule's own, at most 256 channels wide, which pools its map to a
    vector.

    Args:
        weight: See :class:`DetectionLoss`.
    """

    name = 'image_level'

    def layers(self, site: Site) -> tuple[AuxiliaryLayer, ...]:
        """See :meth:`DetectionLoss.layers`."""
        # Halved as far as the backbone does it: a class of the image needs no place.
        blocks, _ = dense_layers(site.network, site.units, stride=site.stride, until=STRIDE)
        last = max((index for index, layer in enumerate(site.network)
                    if isinstance(layer, (Block, Conv))), default=-1)
        # The norm of vectors needs more images per batch than detectors train with.
        pooled = [replace(layer, norm=False) if isinstance(layer, Linear) else layer
                  for layer in site.network[last + 1:]
                  if not isinstance(layer, (BatchNorm, Classifier, Embedding))]
        return (*blocks, *(pooled or [GlobalPooling()]), TaskHead(self.name))

    def build_head(self, *, channels: int, stride: int, classes: int) -> nn.Module:
        """See :meth:`DetectionLoss.build_head`."""
        return nn.Linear(channels, classes)

    def losses(self, head: nn.Module, predictions: Any, batch: DetectionBatch) -> Losses:
        """See :meth:`DetectionLoss.losses`."""
        return {'loss_image_level': F.binary_cross_entropy_with_logits(
            predictions.float(), batch.scores.float())}
