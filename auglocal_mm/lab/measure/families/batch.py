"""A batch of images with all that any detector trains on: drawn, not loaded."""
from __future__ import annotations

from typing import Any

import numpy as np
import torch
from mmdet.structures import DetDataSample
from mmdet.structures.bbox import HorizontalBoxes
from mmdet.structures.mask import BitmapMasks
from mmengine.structures import InstanceData, PixelData

from .contents import Contents, Semantics

IMAGES = 2
#: Labels that a box may have; every config has at least one class.
_OBJECTS = 3


def made_batch(contents: Contents, *, seed: int) -> dict[str, Any]:
    """Draw images of noise on which bright ellipses are the objects.

    Args:
        contents: What to draw.
        seed: Of all random numbers.

    Returns:
        ``inputs``, images [3×side×side] of 8 bits, and ``data_samples``: what a dataloader
        gives to ``train_step``.
    """
    random = np.random.default_rng(seed)
    drawn = [_drawn(contents, random) for _ in range(IMAGES)]
    return {'inputs': [image for image, _ in drawn], 'data_samples': [each for _, each in drawn]}


def _drawn(contents: Contents, random: np.random.Generator
           ) -> tuple[torch.Tensor, DetDataSample]:
    side = contents.side
    size = random.uniform(0.2, 0.6, (_OBJECTS, 2)) * side
    low = random.uniform(0, 1, (_OBJECTS, 2)) * (side - size)
    boxes = np.concatenate([low, low + size], axis=1).astype(np.float32)
    masks = np.stack([_ellipse(box, side) for box in boxes])
    image = random.integers(0, 100, (3, side, side), dtype=np.uint8)
    image[:, masks.any(axis=0)] += np.uint8(120)
    sample = DetDataSample(metainfo={
        'img_shape': (side, side), 'ori_shape': (side, side), 'pad_shape': (side, side),
        'scale_factor': (1.0, 1.0), 'flip': False, 'flip_direction': None, 'img_id': 0,
        'img_path': 'drawn', 'border': np.array([0, side, 0, side], dtype=np.float32)})
    sample.gt_instances = InstanceData(
        bboxes=HorizontalBoxes(torch.from_numpy(boxes)),
        labels=torch.from_numpy(random.integers(0, contents.classes, _OBJECTS)))
    if contents.masks:
        sample.gt_instances.masks = BitmapMasks(masks.astype(np.uint8), side, side)
    sample.ignored_instances = InstanceData(
        bboxes=HorizontalBoxes(torch.zeros(0, 4)), labels=torch.zeros(0, dtype=torch.long))
    if contents.proposals:
        near = boxes.repeat(8, axis=0) + random.normal(0, 4, (8 * _OBJECTS, 4)).astype(np.float32)
        # A plain tensor, as mmdet's pipelines pack proposals.
        sample.proposals = InstanceData(bboxes=torch.from_numpy(near.clip(0, side)))
    if contents.semantics is not None:
        sample.gt_sem_seg = _segmentation(side, contents.semantics, random)
    return torch.from_numpy(image), sample


def _ellipse(box: np.ndarray, side: int) -> np.ndarray:
    rows, columns = np.mgrid[:side, :side] + 0.5
    centre, radius = (box[:2] + box[2:]) / 2, (box[2:] - box[:2]) / 2
    return ((columns - centre[0]) / radius[0]) ** 2 + ((rows - centre[1]) / radius[1]) ** 2 <= 1


def _segmentation(side: int, semantics: Semantics, random: np.random.Generator) -> PixelData:
    """Draw vertical stripes of four classes."""
    small = side // semantics.stride
    stripes = random.integers(0, semantics.classes, 4) + semantics.first
    columns = stripes[np.arange(small) * 4 // small]
    return PixelData(sem_seg=torch.from_numpy(np.tile(columns, (1, small, 1))).long())
