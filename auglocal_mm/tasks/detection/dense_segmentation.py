"""Dense segmentation: the class of every position, from masks or boxes."""
from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F
from mmengine.model import BaseModule
from torch import Tensor, nn

from auglocal_mm.auxiliary import Losses
from auglocal_mm.registry import DETECTION_LOSSES
from auglocal_mm.validation import Faults, check_choice

from .batch import DetectionBatch, within
from .local_loss import DenseLoss

IGNORED = -1
SOURCES = ('auto', 'masks', 'boxes')


@DETECTION_LOSSES.register_module(name='segmentation')
class DenseSegmentation(DenseLoss):
    """Cross entropy at each position between its classes and that of the object there.

    A position that no object covers is background, a class of its own. Where objects overlap,
    the smallest counts. Positions in padding and in crowds do not count.

    Args:
        source: Where an object is: ``'masks'``, ``'boxes'``, or ``'auto'``, its mask if the
            data has masks and its box otherwise.
        stride, max_channels, weight: See :class:`DenseLoss`.
    """

    name = 'segmentation'

    def __init__(self, *, source: str = 'auto', **kwargs: Any) -> None:
        super().__init__(**kwargs)
        faults = Faults(f'local_loss {self.name!r}')
        check_choice(faults, 'source', source, SOURCES)
        faults.raise_if_any()
        self.source = source

    def build_head(self, *, channels: int, stride: int, classes: int) -> nn.Module:
        """See :meth:`DetectionLoss.build_head`."""
        return PositionClassifier(channels, classes + 1)

    def losses(self, head: nn.Module, predictions: Any, batch: DetectionBatch) -> Losses:
        """See :meth:`DetectionLoss.losses`.

        Raises:
            ValueError: Masks are asked for, and an image has none.
        """
        target = self.target(batch, *predictions.shape[-2:])
        # A batch of crowds alone has no position that counts; the mean would be nan.
        counted = (target != IGNORED).sum().clamp(min=1)
        loss = F.cross_entropy(predictions.float(), target, ignore_index=IGNORED, reduction='sum')
        return {'loss_segmentation': loss / counted}

    def target(self, batch: DetectionBatch, height: int, width: int) -> Tensor:
        """Return the class of each position [B, h, w]; the last class is background."""
        quiet = batch.not_background(height, width)
        rows, columns = batch.positions(height, width)
        target = torch.full(quiet.shape, batch.num_classes, device=quiet.device)
        for image, objects in enumerate(batch.objects):
            if not len(objects):
                continue
            boxes = objects.bboxes
            # The smallest first: the first object that covers a position counts there.
            order = (boxes[:, 2:] - boxes[:, :2]).prod(dim=1).argsort()
            covers = self._covers(batch, image, rows, columns)[order]
            labels = objects.labels[order][covers.to(torch.uint8).argmax(dim=0)]
            target[image] = torch.where(covers.any(dim=0), labels, target[image])
        return target.masked_fill(quiet & (target == batch.num_classes), IGNORED)

    def _covers(self, batch: DetectionBatch, image: int, rows: Tensor,
                columns: Tensor) -> Tensor:
        """Tell which positions each object of an image covers [N, h, w]."""
        instances = batch.data_samples[image].gt_instances
        if self.source == 'boxes' or 'masks' not in instances:
            if self.source == 'masks':
                raise ValueError(
                    "local_loss 'segmentation' with source='masks' needs gt_instances.masks, got "
                    "images without; set with_mask=True of LoadAnnotations, or source='auto'")
            return within(batch.objects[image].bboxes, rows, columns)
        masks = instances.masks.to_tensor(torch.bool, rows.device)
        # The mask's value at the position's centre. Masks may lack the batch's padding.
        down, across = rows.long(), columns.long()
        tall, wide = down < masks.shape[1], across < masks.shape[2]
        found = masks.new_zeros((len(masks), len(rows), len(columns)))
        sampled = masks[:, down[tall]][:, :, across[wide]]
        found[:, :int(tall.sum()), :int(wide.sum())] = sampled
        return found


class PositionClassifier(BaseModule):
    """A 1×1 convolution to class logits.

    Args:
        channels: Channels C of the map.
        classes: Number of classes, background included.
    """

    def __init__(self, channels: int, classes: int) -> None:
        # Small, as detection heads begin: all classes are about as likely at first.
        super().__init__(init_cfg=dict(type='Normal', layer='Conv2d', std=0.01))
        self.conv = nn.Conv2d(channels, classes, 1)

    def forward(self, x: Tensor) -> Tensor:
        """Map features [B, C, H, W] to logits [B, classes, H, W]."""
        return self.conv(x)
