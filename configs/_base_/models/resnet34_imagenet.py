"""ResNet-34 for ImageNet: mmpretrain's own, 17 units."""
model = dict(
    type='ImageClassifier',
    # The paper starts every norm at 1; mmpretrain would start the last one of
    # each block at 0.
    backbone=dict(type='ResNet', depth=34, zero_init_residual=False),
    neck=dict(type='GlobalAveragePooling'),
    head=dict(
        type='LinearClsHead',
        num_classes=1000,
        in_channels=512,
        init_cfg=[],
        loss=dict(type='CrossEntropyLoss', loss_weight=1.0)))
