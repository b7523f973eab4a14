"""Mask R-CNN on COCO, ResNet-34 FPN pretrained by back-propagation: 8 GPUs x 2 images.

First train the backbone (`configs/bp/resnet34_imagenet.py`) and export it, then:

    tools/dist_train.sh configs/mask_rcnn/mask-rcnn_r34_bp_fpn_adamw_1x_coco.py 8

Expected: 36.3 box AP and 33.8 mask AP in the paper. Not yet run at this length
by this project. Everything but the backbone's weights is the same as for AugLocal.
"""
_base_ = './mask-rcnn_r34_auglocal_fpn_adamw_1x_coco.py'
work_dir = 'work_dirs/mask-rcnn_r34_bp_fpn_adamw_1x_coco'
model = dict(backbone=dict(init_cfg=dict(
    checkpoint='work_dirs/resnet34_imagenet_bp/backbone.pth')))
