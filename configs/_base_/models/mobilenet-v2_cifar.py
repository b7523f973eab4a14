"""MobileNetV2 for CIFAR: 19 units."""
model = dict(
    type='ImageClassifier',
    backbone=dict(type='auglocal_mm.MobileNetV2CIFAR'),
    neck=dict(type='GlobalAveragePooling'),
    head=dict(
        type='LinearClsHead',
        num_classes=10,
        in_channels=1280,
        init_cfg=[],
        loss=dict(type='CrossEntropyLoss', loss_weight=1.0)))
