"""CIFAR-10 in batches of 1,024; it is downloaded to data/cifar10 if it is missing."""
data_preprocessor = dict(
    num_classes=10,
    # RGB; mmpretrain's CIFAR10 gives RGB images, so nothing is swapped.
    mean=[125.3, 123.0, 113.9],
    std=[63.0, 62.1, 66.7],
    to_rgb=False)

train_pipeline = [
    # mmpretrain's own RandomCrop would pad black in every mode.
    dict(type='auglocal_mm.PaddedRandomCrop', crop_size=32, padding=4, padding_mode='reflect'),
    dict(type='RandomFlip', prob=0.5, direction='horizontal'),
    dict(type='PackInputs'),
]
test_pipeline = [dict(type='PackInputs')]

train_dataloader = dict(
    batch_size=1024,
    num_workers=4,
    persistent_workers=False,
    worker_init_fn=dict(type='auglocal_mm.seed_worker'),
    sampler=dict(type='DefaultSampler', shuffle=True),
    dataset=dict(type='CIFAR10', data_root='data/cifar10', split='train',
                 pipeline=train_pipeline))

val_dataloader = dict(
    batch_size=1024,
    num_workers=4,
    persistent_workers=False,
    sampler=dict(type='DefaultSampler', shuffle=False),
    dataset=dict(type='CIFAR10', data_root='data/cifar10', split='test', test_mode=True,
                 pipeline=test_pipeline))
val_evaluator = dict(type='Accuracy', topk=(1,))

test_dataloader = val_dataloader
test_evaluator = val_evaluator
