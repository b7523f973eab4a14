"""RegNetX-400MF for CIFAR: 23 units."""
model = dict(
    type='ImageClassifier',
    backbone=dict(type='auglocal_mm.RegNetCIFAR', arch='regnetx_400mf'),
    neck=dict(type='GlobalAveragePooling'),
    head=dict(
        type='LinearClsHead',
        num_classes=10,
        in_channels=384,
        init_cfg=[],
        loss=dict(type='CrossEntropyLoss', loss_weight=1.0)))
