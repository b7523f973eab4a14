"""STL-10's labelled images in data/stl10, in batches of 128; 5,000 + 8,000 images of 96x96."""
data_preprocessor = dict(
    num_classes=10,
    # RGB, as auglocal_mm.STL10 gives it.
    mean=[127.5, 127.5, 127.5],
    std=[127.5, 127.5, 127.5],
    to_rgb=False)

train_pipeline = [
    # The border is black.
    dict(type='RandomCrop', crop_size=96, padding=4),
    dict(type='RandomFlip', prob=0.5, direction='horizontal'),
    dict(type='PackInputs'),
]
test_pipeline = [dict(type='PackInputs')]

train_dataloader = dict(
    batch_size=128,
    num_workers=4,
    persistent_workers=False,
    worker_init_fn=dict(type='auglocal_mm.seed_worker'),
    sampler=dict(type='DefaultSampler', shuffle=True),
    dataset=dict(type='auglocal_mm.STL10', data_root='data/stl10', split='train',
                 pipeline=train_pipeline))

val_dataloader = dict(
    batch_size=128,
    num_workers=4,
    persistent_workers=False,
    sampler=dict(type='DefaultSampler', shuffle=False),
    dataset=dict(type='auglocal_mm.STL10', data_root='data/stl10', split='test', test_mode=True,
                 pipeline=test_pipeline))
val_evaluator = dict(type='Accuracy', topk=(1,))

test_dataloader = val_dataloader
test_evaluator = val_evaluator
