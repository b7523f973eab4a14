"""VGG13 with batch norm for ImageNet: mmpretrain's own, 10 units.

Its three linear layers belong to the backbone, so the head has none.
"""
model = dict(
    type='ImageClassifier',
    backbone=dict(
        type='VGG', depth=13, norm_cfg=dict(type='BN'), num_classes=1000),
    neck=None,
    head=dict(type='ClsHead', loss=dict(type='CrossEntropyLoss', loss_weight=1.0)))
