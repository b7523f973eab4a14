"""ResNet-101 for ImageNet: mmpretrain's own, 34 units."""
model = dict(
    type='ImageClassifier',
    # As for ResNet-34: the paper starts every norm at 1.
    backbone=dict(type='ResNet', depth=101, zero_init_residual=False),
    neck=dict(type='GlobalAveragePooling'),
    head=dict(
        type='LinearClsHead',
        num_classes=1000,
        in_channels=2048,
        init_cfg=[],
        loss=dict(type='CrossEntropyLoss', loss_weight=1.0)))
