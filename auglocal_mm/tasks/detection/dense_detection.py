"""Dense detection: a light head of mmdet's own kind finds the objects at every depth."""
from __future__ import annotations

from typing import Any

import torch
from mmengine.model import BaseModule
from mmengine.registry import MODELS
from torch import Tensor, nn

from auglocal_mm.auxiliary import Losses, groups_of
from auglocal_mm.registry import DETECTION_LOSSES
from auglocal_mm.validation import Faults, check_int

from .batch import DetectionBatch
from .local_loss import DenseLoss

MAX_CONVS = 8
#: Logit of a class that is ruled out: its focal loss and gradient are 0.
RULED_OUT = -100.0


@DETECTION_LOSSES.register_module(name='detection')
class DenseDetection(DenseLoss):
    """FCOS on one map: a class, a box and a centerness at each position.

    Positions in padding and in crowds do not count as background.

    Args:
        convs: Convolutions of the head before its predictions; the auxiliary network's blocks
            come before it.
        class_agnostic: Whether it only tells objects from background.
        stride, max_channels, weight: See :class:`DenseLoss`.
    """

    name = 'detection'

    def __init__(self, *, convs: int = 0, class_agnostic: bool = False, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        faults = Faults(f'local_loss {self.name!r}')
        check_int(faults, 'convs', convs, 0, MAX_CONVS)
        faults.raise_if_any()
        self.convs = convs
        self.class_agnostic = class_agnostic

    def build_head(self, *, channels: int, stride: int, classes: int) -> nn.Module:
        """See :meth:`DetectionLoss.build_head`."""
        # One level has to find objects of every size. Sampling around centres keeps large boxes,
        # which cover most positions, from deciding the classification.
        head = MODELS.build(dict(
            type='mmdet.FCOSHead', num_classes=1 if self.class_agnostic else classes,
            in_channels=channels, feat_channels=channels, stacked_convs=self.convs,
            norm_cfg=dict(type='GN', num_groups=groups_of(channels)),
            strides=[stride], regress_ranges=((-1, 1e8),), center_sampling=True,
            loss_bbox=dict(type='mmdet.GIoULoss', loss_weight=1.0)))
        return OneLevel(head)

    def losses(self, head: Any, predictions: Any, batch: DetectionBatch) -> Losses:
        """See :meth:`DetectionLoss.losses`."""
        scores, *others = predictions
        objects = batch.objects
        if self.class_agnostic:
            objects = [each.new(bboxes=each.bboxes, labels=torch.zeros_like(each.labels))
                       for each in objects]
        size = scores.shape[-2:]
        points = head.dense.prior_generator.grid_priors([size], device=scores.device)
        labels, = head.dense.get_targets(points, objects)[0]
        background = labels.view(len(scores), *size) == head.dense.num_classes
        quiet = batch.not_background(*size) & background
        scores = scores.masked_fill(quiet[:, None], RULED_OUT)
        return head.dense.loss_by_feat([scores], *([each] for each in others), objects,
                                       batch.metas)


class OneLevel(BaseModule):
    """Applies a dense head of mmdet to a single map.

    Args:
        dense: The head, built for one level.
    """

    def __init__(self, dense: Any) -> None:
        super().__init__()
        self.dense: Any = dense

    def forward(self, x: Tensor) -> tuple[Tensor, ...]:
        """Return what the head predicts from [B, C, H, W], without the lists of levels."""
        return tuple(levels[0] for levels in self.dense((x,)))
