"""SVHN's cropped digits in data/svhn, in batches of 1,024; 73,257 + 26,032 images of 32x32."""
data_preprocessor = dict(
    num_classes=10,
    # RGB, as auglocal_mm.SVHN gives it.
    mean=[127.5, 127.5, 127.5],
    std=[127.5, 127.5, 127.5],
    to_rgb=False)

train_pipeline = [
    # No flip: a mirrored digit is not a digit. The border is black.
    dict(type='RandomCrop', crop_size=32, padding=2),
    dict(type='PackInputs'),
]
test_pipeline = [dict(type='PackInputs')]

train_dataloader = dict(
    batch_size=1024,
    num_workers=4,
    persistent_workers=False,
    worker_init_fn=dict(type='auglocal_mm.seed_worker'),
    sampler=dict(type='DefaultSampler', shuffle=True),
    dataset=dict(type='auglocal_mm.SVHN', data_root='data/svhn', split='train',
                 pipeline=train_pipeline))

val_dataloader = dict(
    batch_size=1024,
    num_workers=4,
    persistent_workers=False,
    sampler=dict(type='DefaultSampler', shuffle=False),
    dataset=dict(type='auglocal_mm.SVHN', data_root='data/svhn', split='test', test_mode=True,
                 pipeline=test_pipeline))
val_evaluator = dict(type='Accuracy', topk=(1,))

test_dataloader = val_dataloader
test_evaluator = val_evaluator
