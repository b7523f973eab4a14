"""Detectors in the benchmark: noise with objects of sizes as in COCO."""
from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from mmengine.config import Config
from mmengine.registry import MODELS
from mmengine.structures import InstanceData
from torch import Tensor

from auglocal_mm.config.named import means
from auglocal_mm.config.parts import parts_of, with_preprocessor
from auglocal_mm.lab.measure.config_model import image_shape
from auglocal_mm.models import LocalDetector
from auglocal_mm.models.detector_fit import classes_of
from auglocal_mm.partition import image_channels

from .costs import Costs

#: Objects in an image; COCO has 7.3 on average.
OBJECTS = 7
#: Sides of objects, as shares of the image's shorter side. Logarithms are uniform between
#: them, so about a third each is small, medium and large as COCO defines it.
SMALLEST, LARGEST = 0.02, 0.6


class Detectors:
    """mmdet's detectors, plain or local; see :class:`.model_kind.ModelKind`."""

    noun = 'detector'

    def includes(self, cfg: Config) -> bool:
        """See :meth:`.model_kind.ModelKind.includes`."""
        try:
            from mmdet.models.detectors import BaseDetector
        except ImportError:
            return False
        return means(cfg.model.get('type'), (BaseDetector, LocalDetector), MODELS,
                     scope=cfg.get('default_scope'))

    def shape(self, cfg: Config, given: Sequence[int] | None) -> tuple[int, int]:
        """Return the given size, or that of the test pipeline with the preprocessor's padding."""
        if given is not None:
            return image_shape(cfg, given)
        model = with_preprocessor(cfg)
        preprocessor = (model.get('data_preprocessor')
                        or parts_of(model).get('data_preprocessor') or {})
        divisor = preprocessor.get('pad_size_divisor', 1)
        height, width = image_shape(cfg)
        return _padded(height, divisor), _padded(width, divisor)

    def batch(self, model: Any, *, size: int, shape: tuple[int, int]) -> dict[str, Any]:
        """Make images [C, H, W] of bytes, and boxes, labels and masks of objects on them."""
        channels, classes = image_channels(model.backbone), classes_of(model)
        generator = torch.Generator().manual_seed(0)
        images = [torch.randint(256, (channels, *shape), generator=generator, dtype=torch.uint8)
                  for _ in range(size)]
        return {'inputs': images, 'data_samples': [
            _sample(index, shape, _objects(shape, classes, generator)) for index in range(size)]}

    def costs(self, model: Any, shape: tuple[int, int]) -> Costs:
        """Count parameters; multiply-adds depend on the proposals, so nobody counts them."""
        auxiliary = sum(parameter.numel() for name, parameter in model.named_parameters()
                        if name.startswith('auxiliary.'))
        everything = sum(parameter.numel() for parameter in model.parameters())
        return Costs(backbone_params=everything - auxiliary, auxiliary_params=auxiliary)


def _padded(pixels: int, divisor: int) -> int:
    return math.ceil(pixels / divisor) * divisor


def _objects(shape: tuple[int, int], classes: int, generator: torch.Generator) -> InstanceData:
    """Make objects with boxes [N, 4], labels [N] and elliptic masks."""
    from mmdet.structures.mask import BitmapMasks

    boxes = object_boxes(shape, generator)
    labels = torch.randint(classes, (len(boxes),), generator=generator)
    masks = np.stack([_ellipse(box, shape) for box in boxes.tolist()])
    return InstanceData(bboxes=boxes, labels=labels, masks=BitmapMasks(masks, *shape))


def object_boxes(shape: tuple[int, int], generator: torch.Generator) -> Tensor:
    """Return boxes x1, y1, x2, y2 in pixels [OBJECTS, 4] inside an image.

    Args:
        shape: Height and width of the image in pixels.
        generator: Source of randomness.
    """
    height, width = shape
    size, aspect, x, y = torch.rand(4, OBJECTS, generator=generator)
    side = min(shape) * SMALLEST * (LARGEST / SMALLEST) ** size
    # Up to twice as wide as high, or the other way round.
    wide, high = side * 2 ** (aspect - 0.5), side * 2 ** (0.5 - aspect)
    left, top = x * (width - wide), y * (height - high)
    return torch.stack([left, top, left + wide, top + high], dim=1)


def _ellipse(box: Sequence[float], shape: tuple[int, int]) -> np.ndarray:
    """Return the largest ellipse in a box as a mask [H, W] of bytes."""
    rows, columns = np.ogrid[:shape[0], :shape[1]]
    x1, y1, x2, y2 = box
    across = (2 * (columns + 0.5) - x1 - x2) / (x2 - x1)
    down = (2 * (rows + 0.5) - y1 - y2) / (y2 - y1)
    return (across ** 2 + down ** 2 <= 1).astype(np.uint8)


def _sample(index: int, shape: tuple[int, int], objects: InstanceData) -> Any:
    from mmdet.structures import DetDataSample

    sample = DetDataSample(metainfo=dict(
        img_id=index, img_path='', ori_shape=shape, img_shape=shape, pad_shape=shape,
        batch_input_shape=shape, scale_factor=(1.0, 1.0), flip=False))
    sample.gt_instances = objects
    sample.ignored_instances = InstanceData(
        bboxes=objects.bboxes[:0], labels=objects.labels[:0])
    return sample
