"""A small data set in COCO's format with classes of its own, and a detector of it."""
import json
from pathlib import Path

import numpy as np
import torch
from PIL import Image

from auglocal_mm.files import read_json, write_json
from auglocal_mm.lab.transfer.score import scores_of

#: Neither from 1 on, nor without gaps, nor in the order of the names.
CATEGORIES = {90: 'cat', 3: 'dog', 17: 'cow'}
COLORS = {90: (220, 60, 60), 3: (60, 200, 80), 17: (70, 90, 230)}
SIDE = 96

DETECTOR = '''
default_scope = 'mmdet'
classes = ('dog', 'cow', 'cat')
model = dict(
    type='RetinaNet',
    data_preprocessor=dict(type='DetDataPreprocessor', mean=[110.0] * 3, std=[60.0] * 3,
                           pad_size_divisor=32),
    backbone=dict(type='ResNet', depth=18, base_channels=8, stem_channels=8, norm_eval=False,
                  init_cfg=None),
    neck=dict(type='FPN', in_channels=[8, 16, 32, 64], out_channels=16, start_level=1,
              num_outs=3),
    bbox_head=dict(
        type='RetinaHead', num_classes=3, in_channels=16, stacked_convs=1, feat_channels=16,
        anchor_generator=dict(type='AnchorGenerator', octave_base_scale=4, scales_per_octave=1,
                              ratios=[1.0], strides=[8, 16, 32]),
        bbox_coder=dict(type='DeltaXYWHBBoxCoder')),
    train_cfg=dict(assigner=dict(type='MaxIoUAssigner', pos_iou_thr=0.5, neg_iou_thr=0.4,
                                 min_pos_iou=0, ignore_iof_thr=-1), allowed_border=-1,
                   pos_weight=-1, debug=False),
    test_cfg=dict(nms_pre=200, min_bbox_size=0, score_thr=0.01,
                  nms=dict(type='nms', iou_threshold=0.5), max_per_img=20))
pipeline = [dict(type='LoadImageFromFile'), dict(type='LoadAnnotations', with_bbox=True),
            dict(type='PackDetInputs', meta_keys=('img_id', 'img_path', 'ori_shape', 'img_shape',
                                                  'scale_factor'))]
test_pipeline = [pipeline[0], dict(type='Resize', scale=(96, 96), keep_ratio=True), *pipeline[1:]]
common = dict(type='CocoDataset', data_root='set/', metainfo=dict(classes=classes))
train_dataloader = dict(
    batch_size=4, num_workers=0, sampler=dict(type='DefaultSampler', shuffle=True),
    dataset=dict(**common, ann_file='train.json', data_prefix=dict(img='train/'),
                 pipeline=pipeline))
val_dataloader = dict(
    batch_size=4, num_workers=0, sampler=dict(type='DefaultSampler', shuffle=False),
    dataset=dict(**common, ann_file='val.json', data_prefix=dict(img='val/'), test_mode=True,
                 pipeline=test_pipeline))
val_evaluator = dict(type='CocoMetric', metric='bbox', ann_file='set/val.json')
test_dataloader, test_evaluator = val_dataloader, val_evaluator
optim_wrapper = dict(type='OptimWrapper', optimizer=dict(type='AdamW', lr=2e-3))
param_scheduler = [dict(type='MultiStepLR', by_epoch=True, begin=0, end=2, milestones=[1])]
train_cfg = dict(type='EpochBasedTrainLoop', max_epochs=2, val_interval=1)
val_cfg, test_cfg = dict(type='ValLoop'), dict(type='TestLoop')
default_hooks = dict(checkpoint=dict(type='CheckpointHook', interval=1),
                     logger=dict(type='LoggerHook', interval=1))
visualizer = dict(type='DetLocalVisualizer', vis_backends=[dict(type='LocalVisBackend')],
                  name='visualizer')
'''


def annotations(boxes):
    """COCO's JSON object: numbers from 0, and no masks.

    Args:
        boxes: For each image a list of category and box.
    """
    found = [{'image_id': image, 'category_id': category, 'bbox': list(box),
              'area': box[2] * box[3], 'iscrowd': 0} for image, each in enumerate(boxes, start=10)
             for category, box in each]
    return {'images': [{'id': image, 'file_name': f'{image}.jpg', 'width': SIDE, 'height': SIDE}
                       for image in range(10, 10 + len(boxes))],
            'annotations': [{'id': number, **each} for number, each in enumerate(found)],
            'categories': [{'id': key, 'name': name} for key, name in CATEGORIES.items()]}


def make_set(folder: Path, *, train=8, val=4):
    """Images of coloured rectangles, none of them small in COCO's sense."""
    random = np.random.default_rng(0)
    for split, count in (('train', train), ('val', val)):
        boxes = []
        (folder / 'set' / split).mkdir(parents=True)
        for image in range(10, 10 + count):
            pixels = random.integers(90, 130, (SIDE, SIDE, 3), dtype=np.uint8)
            boxes.append([])
            for left in (2, 50):
                category = int(random.choice([*CATEGORIES]))
                x, y = left + int(random.integers(0, 6)), int(random.integers(0, 50))
                width, height = (int(each) for each in random.integers(34, 38, 2))
                pixels[y:y + height, x:x + width] = COLORS[category]
                boxes[-1].append((category, (x, y, width, height)))
            Image.fromarray(pixels).save(folder / 'set' / split / f'{image}.jpg')
        (folder / 'set' / f'{split}.json').write_text(json.dumps(annotations(boxes)))


def make_detector(folder: Path, text: str = DETECTOR) -> Path:
    path = folder / 'retinanet.py'
    path.write_text(text)
    return path


def make_backbone(path: Path, *, seed=0, **settings) -> Path:
    """The file of a backbone, as export_backbone.py writes it."""
    from mmdet.models.backbones import ResNet
    torch.manual_seed(seed)
    backbone = ResNet(**{'depth': 18, 'base_channels': 8, 'stem_channels': 8, **settings})
    path.parent.mkdir(parents=True, exist_ok=True)
    torch.save({'state_dict': {f'backbone.{key}': value
                               for key, value in backbone.state_dict().items()}}, path)
    return path


def finish(run, *, shift):
    """Leave a run as the tools would: its logs, checkpoint, predictions and scores.

    Every object is found, `shift` pixels off, and one more that is none.
    """
    run.begin()
    training, predict, score = run.steps
    logs = training.work_dir / '20260101_000000/vis_data'
    logs.mkdir(parents=True)
    rows = [row for epoch in (1, 2) for row in (
        {'loss': 2.0 / epoch, 'lr': 0.1, 'step': 10 * epoch, 'epoch': epoch},
        {'coco/bbox_mAP': 0.1 * epoch, 'coco/bbox_mAP_s': -1.0, 'step': epoch})]
    (logs / 'scalars.json').write_text(''.join(json.dumps(row) + '\n' for row in rows))
    training.checkpoint.touch()
    truth = read_json(score.validation.annotations)
    found = [{'image_id': each['image_id'], 'category_id': each['category_id'], 'score': 0.9,
              'bbox': [each['bbox'][0] + shift, *each['bbox'][1:]]}
             for each in truth['annotations']]
    found.append({**found[0], 'bbox': [90.0, 90.0, 4.0, 4.0], 'score': 0.95})
    write_json(found, run.folder / 'predictions.bbox.json')
    write_json(scores_of(truth, {'bbox': found}, score.validation.classes), score.file)
    for step in (training, predict, score):
        run.add_seconds(step, 60.0)
