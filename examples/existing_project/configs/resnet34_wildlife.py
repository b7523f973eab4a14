"""ResNet-34 at a quarter of its width, on photographs of three animals."""
_base_ = 'mmpretrain::resnet/resnet34_8xb32_in1k.py'
custom_imports = dict(imports=['wildlife.dusk', 'wildlife.photos'], allow_failed_imports=False)

model = dict(
    backbone=dict(stem_channels=16, base_channels=16),
    head=dict(num_classes=3, in_channels=128, topk=(1, )))
data_preprocessor = dict(num_classes=3)
train_pipeline = [
    dict(type='LoadImageFromFile'),
    dict(type='RandomResizedCrop', scale=64, crop_ratio_range=(0.5, 1.0)),
    dict(type='RandomFlip', prob=0.5, direction='horizontal'),
    dict(type='Dusk', darkest=0.7),
    dict(type='PackInputs'),
]
test_pipeline = [
    dict(type='LoadImageFromFile'),
    dict(type='Resize', scale=(64, 64)),
    dict(type='PackInputs'),
]
train_dataloader = dict(
    batch_size=8, num_workers=0, persistent_workers=False,
    dataset=dict(type='WildlifePhotos', data_root='data/photos', pipeline=train_pipeline))
val_dataloader = dict(
    batch_size=8, num_workers=0, persistent_workers=False,
    dataset=dict(type='WildlifePhotos', data_root='data/photos', pipeline=test_pipeline))
val_evaluator = dict(topk=(1, ))
test_dataloader = val_dataloader
test_evaluator = val_evaluator

optim_wrapper = dict(optimizer=dict(lr=0.02))
train_cfg = dict(max_epochs=2)
default_hooks = dict(logger=dict(interval=2))
