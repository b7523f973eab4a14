"""Digit scenes, 1,200 + 150 images of 128x128 in COCO's format, made at first use."""
data_root = 'data/digit_scenes/'
scenes = dict(train=1200, val=150, side_px=128, seed=0)

data_preprocessor = dict(
    type='DetDataPreprocessor',
    # As in `digits.py`, which the backbone was trained on.
    mean=[78.0, 78.0, 78.0],
    std=[82.6, 82.6, 82.6],
    bgr_to_rgb=True,
    pad_mask=True,
    pad_size_divisor=32)

train_pipeline = [
    dict(type='LoadImageFromFile'),
    dict(type='LoadAnnotations', with_bbox=True, with_mask=True),
    dict(type='PackDetInputs'),
]
test_pipeline = [
    dict(type='LoadImageFromFile'),
    # Changes nothing, but records the scale factor that the mask head reads.
    dict(type='Resize', scale=(128, 128), keep_ratio=True),
    dict(type='LoadAnnotations', with_bbox=True, with_mask=True),
    dict(type='PackDetInputs',
         meta_keys=('img_id', 'img_path', 'ori_shape', 'img_shape', 'scale_factor')),
]

train_dataloader = dict(
    batch_size=4,
    # Loading is cheaper here than starting workers for each epoch.
    num_workers=0,
    persistent_workers=False,
    drop_last=True,
    worker_init_fn=dict(type='auglocal_mm.seed_worker'),
    sampler=dict(type='DefaultSampler', shuffle=True),
    dataset=dict(type='auglocal_mm.DigitScenes', data_root=data_root, part='train',
                 scenes=scenes, filter_cfg=dict(filter_empty_gt=True),
                 pipeline=train_pipeline))

val_dataloader = dict(
    batch_size=10,
    num_workers=0,
    persistent_workers=False,
    sampler=dict(type='DefaultSampler', shuffle=False),
    dataset=dict(type='auglocal_mm.DigitScenes', data_root=data_root, part='val',
                 scenes=scenes, test_mode=True, pipeline=test_pipeline))
val_evaluator = dict(type='CocoMetric', metric=['bbox', 'segm'],
                     ann_file=data_root + 'annotations/instances_val.json')

test_dataloader = val_dataloader
test_evaluator = val_evaluator
