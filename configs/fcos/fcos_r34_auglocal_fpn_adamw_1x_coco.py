"""FCOS on COCO, ResNet-34 FPN pretrained by AugLocal: 8 GPUs x 2 images, 12 epochs.

First train the backbone (`configs/auglocal/resnet34_imagenet.py`) and export it, then:

    tools/dist_train.sh configs/fcos/fcos_r34_auglocal_fpn_adamw_1x_coco.py 8

Expected: no published figure available. Not yet run at this length by this project.
"""
_base_ = [
    '../_base_/models/fcos_r34_fpn.py',
    '../_base_/datasets/coco_detection.py',
    '../_base_/schedules/coco_adamw_1x.py',
    '../_base_/default_runtime_det.py',
]
work_dir = 'work_dirs/fcos_r34_auglocal_fpn_adamw_1x_coco'
model = dict(
    # Kept in the model, so that mmdet's inference normalises images as training does.
    data_preprocessor={{_base_.data_preprocessor}},
    backbone=dict(init_cfg=dict(
        checkpoint='work_dirs/resnet34_imagenet_auglocal/backbone.pth')))
