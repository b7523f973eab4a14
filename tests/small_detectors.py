"""The shipped detectors made small, and a batch of made scenes for them."""
from __future__ import annotations

from typing import Any

import numpy as np
import torch

from auglocal_mm.config.walk import dicts_in

#: Keys of mmdet's necks and heads that hold a number of channels.
WIDTHS = ('in_channels', 'out_channels', 'feat_channels', 'conv_out_channels', 'fc_out_channels')
SLIMMER = 8


def slim(model: Any) -> Any:
    """Make a config's detector an eighth as wide; a VGG, whose widths are fixed, stays."""
    fixed = model['backbone']['type'] != 'ResNet'
    for place, part in dicts_in(model):
        for key in WIDTHS:
            width = part.get(key)
            if width is None or (fixed and (place, key) == ('neck', 'in_channels')):
                continue
            part[key] = ([each // SLIMMER for each in width] if isinstance(width, list)
                         else width // SLIMMER)
    if not fixed:
        model['backbone'].update(base_channels=64 // SLIMMER, stem_channels=64 // SLIMMER)
    return model


def scenes(images: int = 2, *, side: int = 96) -> dict[str, Any]:
    """Noisy images with a box, its mask and a class of COCO's each, as a data loader gives them."""
    from mmdet.structures import DetDataSample
    from mmdet.structures.mask import BitmapMasks
    from mmengine.structures import InstanceData
    generator = torch.Generator().manual_seed(0)
    samples = []
    for index in range(images):
        box = side // 8 * torch.tensor([[1 + index, 2, 5 + index, 5]])
        left, top, right, bottom = box[0].tolist()
        mask = np.zeros((1, side, side), np.uint8)
        mask[:, top:bottom, left:right] = 1
        instances = InstanceData(bboxes=box.float(), labels=torch.tensor([7 * index]),
                                 masks=BitmapMasks(mask, side, side))
        sample = DetDataSample(metainfo={
            'img_shape': (side, side), 'ori_shape': (side, side), 'scale_factor': (1.0, 1.0),
            'img_id': index})
        sample.gt_instances = instances
        sample.ignored_instances = instances[:0]
        samples.append(sample)
    pixels = torch.randint(256, (images, 3, side, side), generator=generator, dtype=torch.uint8)
    return {'inputs': list(pixels), 'data_samples': samples}
