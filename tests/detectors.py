"""mmdet's own detectors, shrunken, with made images: what the tests of local detectors share."""
from __future__ import annotations

import copy
from functools import cache
from typing import Any

import torch
from mmengine.config import Config, ConfigDict
from mmengine.registry import MODELS, DefaultScope
from mmengine.structures import InstanceData

import auglocal_mm  # noqa: F401  (mmdet needs its operators)

CLASSES = 5
#: A tiny ResNet-18 of mmdet's, and what its four stages return.
RESNET = {'type': 'ResNet', 'depth': 18, 'stem_channels': 4, 'base_channels': 4,
          'out_indices': (0, 1, 2, 3), 'norm_cfg': {'type': 'BN'}, 'norm_eval': False}
CHANNELS = [4, 8, 16, 32]
#: Keys of mmdet's configs that hold a width.
WIDTH_KEYS = {'in_channels', 'out_channels', 'feat_channels', 'conv_out_channels', 'embed_dims',
              'fc_out_channels', 'feedforward_channels', 'roi_feat_channels', 'stacked_channels',
              'mask_feature_channels', 'start_channels', 'num_feats', 'mask_out_channels'}

DETECTORS = {
    'Mask R-CNN': 'mask_rcnn/mask-rcnn_r50_fpn_1x_coco.py',
    'RetinaNet': 'retinanet/retinanet_r50_fpn_1x_coco.py',
    'FCOS': 'fcos/fcos_r50-caffe_fpn_gn-head_1x_coco.py',
    'Faster R-CNN': 'faster_rcnn/faster-rcnn_r50_fpn_1x_coco.py',
    'Cascade Mask R-CNN': 'cascade_rcnn/cascade-mask-rcnn_r50_fpn_1x_coco.py',
    'ATSS': 'atss/atss_r50_fpn_1x_coco.py',
    'SOLOv2': 'solov2/solov2_r50_fpn_1x_coco.py',
    'DETR': 'detr/detr_r50_8xb2-150e_coco.py',
    'Deformable DETR': 'deformable_detr/deformable-detr_r50_16xb2-50e_coco.py',
    'PAFPN': 'pafpn/faster-rcnn_r50_pafpn_1x_coco.py',
    'RPN': 'rpn/rpn_r50_fpn_1x_coco.py',
    'YOLOF': 'yolof/yolof_r50-c5_8xb8-1x_coco.py',
}


@cache
def _read(name: str) -> Any:
    from mmengine.utils import get_installed_path
    return Config.fromfile(f'{get_installed_path("mmdet")}/.mim/configs/{DETECTORS[name]}').model


def detector_cfg(name: str = 'Mask R-CNN', **backbone: Any) -> dict[str, Any]:
    """The shrunken config of one of `DETECTORS`."""
    cfg = _read(name).to_dict()
    indices = cfg['backbone'].get('out_indices', (0, 1, 2, 3))
    stages = cfg['backbone'].get('num_stages', 4)
    cfg['backbone'] = {**RESNET, 'num_stages': stages, 'out_indices': tuple(indices),
                       **({'strides': (1, 2, 2), 'dilations': (1, 1, 1)} if stages == 3 else {}),
                       **backbone}
    neck = cfg.get('neck')
    if neck:
        channels = [CHANNELS[index] for index in indices]
        own = neck['in_channels']
        _shrink(neck)
        neck['in_channels'] = channels if isinstance(own, (list, tuple)) else channels[-1]
    for key, part in cfg.items():
        if key not in ('backbone', 'neck', 'data_preprocessor'):
            _shrink(part)
    if cfg['type'] == 'DeformableDETR':
        cfg['bbox_head']['embed_dims'] = 32  # mmdet's default is 256
    return cfg


def _shrink(part: Any) -> None:
    if isinstance(part, (list, tuple)):
        for each in part:
            _shrink(each)
    if not isinstance(part, dict):
        return
    for key, value in part.items():
        if key in WIDTH_KEYS and isinstance(value, int):
            part[key] = 16 if key == 'num_feats' else min(value, 32)
        elif key == 'num_classes' and value > 1:
            part[key] = CLASSES
        elif key == 'num_points' and part.get('type') == 'RandomSampler':
            part[key] = 16
        elif key == 'roi_feat_size' and value == 7:
            continue
        else:
            _shrink(value)


def build(cfg: dict[str, Any], *, seed: int = 0, **local: Any) -> torch.nn.Module:
    """Build a plain detector, or a local one if `local` holds its settings."""
    torch.manual_seed(seed)
    if local:
        cfg = {**cfg, 'detector': cfg['type'], 'type': 'auglocal_mm.LocalDetector', **local}
    with DefaultScope.overwrite_default_scope('mmdet'):
        model = MODELS.build(ConfigDict(copy.deepcopy(cfg)))
    if isinstance(getattr(model, 'level_embed', None), torch.nn.Parameter):
        torch.nn.init.normal_(model.level_embed)  # mmdet leaves it as memory was
    return model


def images(size: int = 2, *, side: int = 64, masks: bool = True, seed: int = 0,
           crowds: bool = False) -> dict[str, Any]:
    """A batch as a data loader of mmdet yields it: images of different sizes, objects on them."""
    from mmdet.structures import DetDataSample
    from mmdet.structures.mask import BitmapMasks

    generator = torch.Generator().manual_seed(seed)
    inputs, samples = [], []
    for index in range(size):
        height, width = side, side - 16 * (index % 2)
        inputs.append(torch.randint(256, (3, height, width), generator=generator,
                                    dtype=torch.uint8))
        count = 2 + index % 2 + int(crowds)
        corner = torch.rand(count, 2, generator=generator) * 20
        extent = 12 + torch.rand(count, 2, generator=generator) * 20
        boxes = torch.cat([corner, corner + extent], dim=1)
        labels = torch.randint(CLASSES, (count,), generator=generator)
        sample = DetDataSample(metainfo=dict(
            img_shape=(height, width), ori_shape=(height, width), scale_factor=(1.0, 1.0),
            pad_shape=(height, width), batch_input_shape=(side, side), img_id=index,
            img_path=''))
        kept = slice(1, None) if crowds else slice(None)
        instances = InstanceData(bboxes=boxes[kept], labels=labels[kept])
        if masks:
            bits = torch.zeros(count, height, width, dtype=torch.uint8)
            for bit, (x1, y1, x2, y2) in zip(bits, boxes.long().tolist(), strict=True):
                bit[y1:y2, x1:x2 - 3] = 1
            instances.masks = BitmapMasks(bits[kept].numpy(), height, width)
        sample.gt_instances = instances
        ignored = InstanceData(bboxes=boxes[:int(crowds)], labels=labels[:int(crowds)])
        sample.ignored_instances = ignored
        samples.append(sample)
    return {'inputs': inputs, 'data_samples': samples}
