"""Mask R-CNN on digit scenes, slim ResNet-34 pretrained by back-propagation.

    tools/train.py configs/demo/resnet34-slim_digits_bp.py
    tools/model_converters/export_backbone.py \
        work_dirs/resnet34-slim_digits_bp/epoch_12.pth \
        work_dirs/resnet34-slim_digits_bp/backbone.pth
    tools/train.py configs/demo/mask-rcnn_digit-scenes_bp.py

Everything but the backbone's weights is the same as for AugLocal.
Expected: the box and mask AP and the seconds in docs/benchmarks.md.
"""
_base_ = './mask-rcnn_digit-scenes_auglocal.py'
work_dir = 'work_dirs/mask-rcnn_digit-scenes_bp'
model = dict(backbone=dict(init_cfg=dict(
    checkpoint='work_dirs/resnet34-slim_digits_bp/backbone.pth')))
