"""Mask R-CNN on digit scenes, its backbone pretrained and fine-tuned by AugLocal in 4 modules.

    tools/train.py configs/demo/resnet34-slim_digits_auglocal.py
    tools/model_converters/export_backbone.py \
        work_dirs/resnet34-slim_digits_auglocal/epoch_12.pth \
        work_dirs/resnet34-slim_digits_auglocal/backbone.pth
    tools/train.py configs/demo/mask-rcnn_digit-scenes_local.py

Expected: the box and mask AP and the seconds in docs/benchmarks.md.
"""
_base_ = [
    '../_base_/models/mask-rcnn_slim-r34_fpn.py',
    '../_base_/datasets/digit_scenes.py',
    '../_base_/schedules/mask-rcnn_adamw_digit-scenes.py',
    '../_base_/default_runtime_det.py',
]
work_dir = 'work_dirs/mask-rcnn_digit-scenes_local'
model = dict(
    type='auglocal_mm.LocalDetector',
    detector='MaskRCNN',
    local=dict(type='auglocal_mm.AugLocal', depth=3, modules=4),
    # Kept in the model, so that mmdet's inference normalises images as training does.
    data_preprocessor={{_base_.data_preprocessor}},
    backbone=dict(init_cfg=dict(
        checkpoint='work_dirs/resnet34-slim_digits_auglocal/backbone.pth')))
optim_wrapper = dict(type='auglocal_mm.AugLocalOptimWrapper')
custom_hooks = [dict(type='auglocal_mm.AuxiliaryHeadHook')]
default_hooks = dict(logger=dict(interval=25))
randomness = dict(seed=0)
