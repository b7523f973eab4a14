"""ResNet-110 for CIFAR: 55 units; convolutions start normal, linear layers as in PyTorch."""
model = dict(
    type='ImageClassifier',
    backbone=dict(type='auglocal_mm.ResNetCIFAR', depth=110),
    neck=dict(type='GlobalAveragePooling'),
    head=dict(
        type='LinearClsHead',
        num_classes=10,
        in_channels=64,
        init_cfg=[],
        loss=dict(type='CrossEntropyLoss', loss_weight=1.0)))
