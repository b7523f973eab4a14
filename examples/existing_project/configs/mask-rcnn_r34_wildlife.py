"""Mask R-CNN on scenes with animals, pretrained by our own classifier."""
_base_ = 'mmdet::mask_rcnn/mask-rcnn_r50_fpn_1x_coco.py'
# auglocal_mm: mmdet then needs no compiled mmcv operators.
custom_imports = dict(imports=['auglocal_mm', 'wildlife.dusk'], allow_failed_imports=False)

model = dict(
    backbone=dict(
        depth=34, stem_channels=16, base_channels=16,
        init_cfg=dict(type='Pretrained', checkpoint='work_dirs/resnet34_wildlife/epoch_2.pth',
                      prefix='backbone.')),
    neck=dict(in_channels=[16, 32, 64, 128], out_channels=64),
    rpn_head=dict(in_channels=64, feat_channels=64, anchor_generator=dict(scales=[4])),
    roi_head=dict(
        bbox_roi_extractor=dict(out_channels=64),
        bbox_head=dict(in_channels=64, fc_out_channels=256, num_classes=3),
        mask_roi_extractor=dict(out_channels=64),
        mask_head=dict(in_channels=64, conv_out_channels=64, num_classes=3)))

classes = dict(classes=('deer', 'fox', 'owl'))
train_pipeline = [
    dict(type='LoadImageFromFile'),
    dict(type='LoadAnnotations', with_bbox=True, with_mask=True),
    dict(type='Resize', scale=(128, 128), keep_ratio=True),
    dict(type='RandomFlip', prob=0.5),
    dict(type='Dusk', darkest=0.7),
    dict(type='PackDetInputs'),
]
test_pipeline = [
    dict(type='LoadImageFromFile'),
    dict(type='Resize', scale=(128, 128), keep_ratio=True),
    dict(type='LoadAnnotations', with_bbox=True, with_mask=True),
    dict(type='PackDetInputs',
         meta_keys=('img_id', 'img_path', 'ori_shape', 'img_shape', 'scale_factor')),
]
train_dataloader = dict(
    num_workers=0, persistent_workers=False,
    dataset=dict(data_root='data/scenes/', ann_file='train.json', metainfo=classes,
                 data_prefix=dict(img='train/'), pipeline=train_pipeline))
val_dataloader = dict(
    num_workers=0, persistent_workers=False,
    dataset=dict(data_root='data/scenes/', ann_file='val.json', metainfo=classes,
                 data_prefix=dict(img='val/'), pipeline=test_pipeline))
val_evaluator = dict(ann_file='data/scenes/val.json')
test_dataloader = val_dataloader
test_evaluator = val_evaluator

train_cfg = dict(max_epochs=1)
default_hooks = dict(logger=dict(interval=2))
