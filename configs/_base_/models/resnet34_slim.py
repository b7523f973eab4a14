"""ResNet-34 with 16 base channels instead of 64: the same blocks, 1/16 of the work."""
model = dict(
    type='ImageClassifier',
    backbone=dict(type='ResNet', depth=34, stem_channels=16, base_channels=16,
                  zero_init_residual=True),
    neck=dict(type='GlobalAveragePooling'),
    head=dict(
        type='LinearClsHead',
        num_classes=10,
        in_channels=128,
        init_cfg=[],
        loss=dict(type='CrossEntropyLoss', loss_weight=1.0)))
