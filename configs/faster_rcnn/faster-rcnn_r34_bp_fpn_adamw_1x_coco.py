"""Faster R-CNN on COCO, ResNet-34 FPN pretrained by back-propagation: 8 GPUs x 2 images.

First train the backbone (`configs/bp/resnet34_imagenet.py`) and export it, then:

    tools/dist_train.sh configs/faster_rcnn/faster-rcnn_r34_bp_fpn_adamw_1x_coco.py 8

Expected: no published figure available. Not yet run at this length by this project.
Everything but the backbone's weights is the same as for AugLocal.
"""
_base_ = [
    '../_base_/models/faster-rcnn_r34_fpn.py',
    '../_base_/datasets/coco_detection.py',
    '../_base_/schedules/coco_adamw_1x.py',
    '../_base_/default_runtime_det.py',
]
work_dir = 'work_dirs/faster-rcnn_r34_bp_fpn_adamw_1x_coco'
model = dict(
    # Kept in the model, so that mmdet's inference normalises images as training does.
    data_preprocessor={{_base_.data_preprocessor}},
    backbone=dict(init_cfg=dict(
        checkpoint='work_dirs/resnet34_imagenet_bp/backbone.pth')))
