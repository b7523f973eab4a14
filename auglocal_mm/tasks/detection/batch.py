"""A batch of images with objects, and the targets that local losses take from it."""
from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import torch
from mmengine.structures import InstanceData
from torch import Tensor


@dataclass(frozen=True)
class DetectionBatch:
    """A training batch whose targets are computed once, on first use.

    Attributes:
        images: As the network sees them, padded to one size [B, 3, H, W].
        data_samples: B of mmdet's data samples with their ground truth.
        num_classes: Number of classes.
        mean, std: Of the images' normalisation, in pixel values 0 … 255.
    """
    images: Tensor
    data_samples: Sequence[Any]
    num_classes: int
    mean: tuple[float, ...] = (0.0, 0.0, 0.0)
    std: tuple[float, ...] = (1.0, 1.0, 1.0)

    @property
    def pictures(self) -> Tensor:
        """The images as they were before normalisation, in [0, 1]: [B, 3, H, W]."""
        # Made each time: kept for the whole step, they would be as large as the images.
        mean, std = (self.images.new_tensor(values).view(-1, 1, 1)
                     for values in (self.mean, self.std))
        return ((self.images * std + mean) / 255).clamp(0, 1)

    @cached_property
    def objects(self) -> list[InstanceData]:
        """Boxes [N, 4] and labels [N] of each image, without masks, which heads would copy."""
        return [self._slim(sample.gt_instances) for sample in self.data_samples]

    @cached_property
    def ignored(self) -> list[Tensor]:
        """Boxes [M, 4] of each image in which nothing may be taken for background (crowds)."""
        return [_boxes(sample.ignored_instances) if 'ignored_instances' in sample
                else self.images.new_zeros((0, 4)) for sample in self.data_samples]

    @cached_property
    def metas(self) -> list[dict[str, Any]]:
        """Meta information of each image, as mmdet's heads take it."""
        return [sample.metainfo for sample in self.data_samples]

    @cached_property
    def scores(self) -> Tensor:
        """Which classes each image shows, 0 or 1 [B, classes]."""
        present = self.images.new_zeros((len(self.images), self.num_classes))
        for row, objects in zip(present, self.objects, strict=True):
            row[objects.labels] = 1
        return present

    @cached_property
    def sizes(self) -> list[tuple[int, int]]:
        """Height and width of each image without its padding."""
        return [tuple(meta['img_shape'][:2]) for meta in self.metas]

    def positions(self, height: int, width: int) -> tuple[Tensor, Tensor]:
        """Return the centres of a map's positions, in pixels: rows [height], columns [width].

        The map covers the padded images; its scale follows from their sizes.
        """
        rows, columns = (
            (torch.arange(count, device=self.images.device) + 0.5) * (side / count)
            for count, side in zip((height, width), self.images.shape[-2:], strict=True))
        return rows, columns

    def inside(self, height: int, width: int) -> Tensor:
        """Tell which positions of a map lie in the image and not in its padding [B, h, w]."""
        rows, columns = self.positions(height, width)
        return torch.stack([(rows < size[0])[:, None] & (columns < size[1])[None]
                            for size in self.sizes])

    def covered(self, boxes: Sequence[Tensor], height: int, width: int) -> Tensor:
        """Tell which positions of a map lie in any of each image's boxes [B, h, w]."""
        rows, columns = self.positions(height, width)
        return torch.stack([within(each, rows, columns).any(0) for each in boxes])

    def not_background(self, height: int, width: int) -> Tensor:
        """Tell which positions cannot be taken for background: padding and crowds [B, h, w].

        Where an object is, a position of a crowd counts nevertheless.
        """
        padding = ~self.inside(height, width)
        if not any(len(boxes) for boxes in self.ignored):
            return padding
        return padding | self.covered(self.ignored, height, width)

    def _slim(self, instances: Any) -> InstanceData:
        labels = instances.labels
        # Elsewhere the look would wait for the device, which refuses such labels by itself.
        if labels.device.type == 'cpu' and self.num_classes > 1 and len(labels) and (
                int(labels.max()) >= self.num_classes or int(labels.min()) < 0):
            raise ValueError(
                f'labels must be 0 … {self.num_classes - 1}, as the heads have {self.num_classes} '
                f'classes, got {int(labels.min())} … {int(labels.max())}; set num_classes of every '
                'head to the number of the data set\'s classes')
        # A detector of a single class, such as mmdet's RPN, is trained on any labels.
        return InstanceData(bboxes=_boxes(instances), labels=(
            labels if self.num_classes > 1 else torch.zeros_like(labels)))


def within(boxes: Tensor, rows: Tensor, columns: Tensor) -> Tensor:
    """Tell which positions lie in each box.

    Args:
        boxes: x1, y1, x2, y2 in pixels [N, 4].
        rows, columns: Centres of the positions in pixels [h], [w].

    Returns:
        [N, h, w].
    """
    x1, y1, x2, y2 = boxes[:, :, None].unbind(1)
    across = (columns >= x1) & (columns < x2)
    down = (rows >= y1) & (rows < y2)
    return down[:, :, None] & across[:, None]


def _boxes(instances: Any) -> Tensor:
    """Return boxes as a tensor [N, 4]; mmdet's box types hold one."""
    boxes = instances.bboxes
    return boxes if isinstance(boxes, Tensor) else boxes.tensor
