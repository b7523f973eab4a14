"""VGG19 with batch norm for CIFAR: 16 units, global pooling and a linear classifier."""
model = dict(
    type='ImageClassifier',
    backbone=dict(type='VGG', depth=19, norm_cfg=dict(type='BN')),
    neck=dict(type='GlobalAveragePooling'),
    head=dict(
        type='LinearClsHead',
        num_classes=10,
        in_channels=512,
        init_cfg=[],
        loss=dict(type='CrossEntropyLoss', loss_weight=1.0)))
