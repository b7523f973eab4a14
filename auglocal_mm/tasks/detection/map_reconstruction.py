"""Reconstruction of the image at the features' own resolution."""
from __future__ import annotations

from typing import Any

import torch.nn.functional as F
from mmengine.model import BaseModule
from torch import Tensor, nn

from auglocal_mm.auxiliary import Losses
from auglocal_mm.plan import AuxiliaryLayer, TaskHead
from auglocal_mm.registry import DETECTION_LOSSES
from auglocal_mm.validation import Faults, check_int

from .batch import DetectionBatch
from .local_loss import DetectionLoss, Site

MAX_DETAIL = 32


@DETECTION_LOSSES.register_module(name='reconstruction')
class MapReconstruction(DetectionLoss):
    """Binary cross entropy between the image and what each position tells of its patch.

    InfoPro's decoder upsamples the features to the image's size first (Wang et al., 2021,
    section 4), and its maps take all the memory that local learning saves in a detector. Here
    each position predicts `detail` × `detail` pixels of the shrunken image at its place, by one
    1×1 convolution of the unit's own features. Padding does not count.

    Args:
        detail: Pixels per position and direction, at most the position's stride.
        weight: See :class:`DetectionLoss`; InfoPro's λ1.
    """

    name = 'reconstruction'

    def __init__(self, *, detail: int = 4, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        faults = Faults(f'local_loss {self.name!r}')
        check_int(faults, 'detail', detail, 1, MAX_DETAIL)
        faults.raise_if_any()
        self.detail = detail

    def layers(self, site: Site) -> tuple[AuxiliaryLayer, ...]:
        """See :meth:`DetectionLoss.layers`."""
        # What is to be kept is in the features themselves, not in what blocks make of them.
        return (TaskHead(self.name, site.stride),)

    def build_head(self, *, channels: int, stride: int, classes: int) -> nn.Module:
        """See :meth:`DetectionLoss.build_head`."""
        return PatchDecoder(channels, min(self.detail, stride))

    def losses(self, head: nn.Module, predictions: Any, batch: DetectionBatch) -> Losses:
        """See :meth:`DetectionLoss.losses`."""
        size = predictions.shape[-2:]
        pictures = batch.pictures
        target = pictures if pictures.shape[-2:] == size else F.interpolate(
            pictures, size, mode='area')
        counted = batch.inside(*size)[:, None].expand_as(target)
        loss = F.binary_cross_entropy_with_logits(predictions.float(), target, reduction='none')
        return {'loss_reconstruction': (loss * counted).sum() / counted.sum().clamp(min=1)}


class PatchDecoder(BaseModule):
    """Predicts a patch of pixels from each position.

    Args:
        channels: Channels C of the features.
        detail: Pixels r per position and direction.
    """

    def __init__(self, channels: int, detail: int) -> None:
        super().__init__(init_cfg=dict(type='Normal', layer='Conv2d', std=0.01))
        self.detail = detail
        self.conv = nn.Conv2d(channels, 3 * detail ** 2, 1)

    def forward(self, x: Tensor) -> Tensor:
        """Map features [B, C, h, w] to logits of pixels [B, 3, r·h, r·w]."""
        return F.pixel_shuffle(self.conv(x), self.detail)
