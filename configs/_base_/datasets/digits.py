"""Scikit-learn's handwritten digits, 1,437 + 360 images of 32x32: nothing to download."""
data_preprocessor = dict(
    num_classes=10,
    # Of the training images; their three channels are equal.
    mean=[78.0, 78.0, 78.0],
    std=[82.6, 82.6, 82.6],
    to_rgb=False)

train_pipeline = [
    dict(type='RandomCrop', crop_size=32, padding=4),
    dict(type='PackInputs'),
]
test_pipeline = [dict(type='PackInputs')]

train_dataloader = dict(
    batch_size=128,
    # Loading is cheaper here than starting workers for each epoch.
    num_workers=0,
    persistent_workers=False,
    drop_last=True,
    worker_init_fn=dict(type='auglocal_mm.seed_worker'),
    sampler=dict(type='DefaultSampler', shuffle=True),
    dataset=dict(type='auglocal_mm.Digits', split='train', pipeline=train_pipeline))

val_dataloader = dict(
    batch_size=360,
    num_workers=0,
    persistent_workers=False,
    sampler=dict(type='DefaultSampler', shuffle=False),
    dataset=dict(type='auglocal_mm.Digits', split='test', pipeline=test_pipeline,
                 test_mode=True))
val_evaluator = dict(type='Accuracy', topk=(1,))

test_dataloader = val_dataloader
test_evaluator = val_evaluator
