"""ResNet-32 for CIFAR: 16 units; convolutions start normal, linear layers as in PyTorch."""
model = dict(
    type='ImageClassifier',
    backbone=dict(type='auglocal_mm.ResNetCIFAR', depth=32),
    neck=dict(type='GlobalAveragePooling'),
    head=dict(
        type='LinearClsHead',
        num_classes=10,
        in_channels=64,
        init_cfg=[],
        loss=dict(type='CrossEntropyLoss', loss_weight=1.0)))
