"""RetinaNet on COCO, VGG13 FPN pretrained by AugLocal: 8 GPUs x 2 images, 12 epochs.

First train the backbone (`configs/auglocal/vgg13_imagenet.py`) and export it, then:

    tools/dist_train.sh configs/retinanet/retinanet_vgg13_auglocal_fpn_adamw_1x_coco.py 8

Expected: no published figure available. Not yet run at this length by this project.
"""
_base_ = [
    '../_base_/models/retinanet_r34_fpn.py',
    '../_base_/datasets/coco_detection.py',
    '../_base_/schedules/coco_adamw_1x.py',
    '../_base_/default_runtime_det.py',
]
work_dir = 'work_dirs/retinanet_vgg13_auglocal_fpn_adamw_1x_coco'
model = dict(
    # Kept in the model, so that mmdet's inference normalises images as training does.
    data_preprocessor={{_base_.data_preprocessor}},
    # FPN reads the stages of strides 4 to 32; up to stride 4 they stay frozen, as in a ResNet.
    backbone=dict(type='mmpretrain.VGG', depth=13, out_indices=(1, 2, 3, 4), frozen_stages=2,
                  init_cfg=dict(checkpoint='work_dirs/vgg13_imagenet_auglocal/backbone.pth')),
    neck=dict(in_channels=[128, 256, 512, 512]))
