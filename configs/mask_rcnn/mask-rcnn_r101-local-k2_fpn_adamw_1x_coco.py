"""Mask R-CNN on COCO, ResNet-101 FPN trained in 2 local modules: 8 GPUs x 2 images, 12 epochs.

First train the backbone (`configs/auglocal/resnet101_imagenet.py`) and export it, then:

    tools/dist_train.sh configs/mask_rcnn/mask-rcnn_r101-local-k2_fpn_adamw_1x_coco.py 8

Expected: no published figure available. Not yet run at this length by this project.
Everything but local learning is the same as in
`mask-rcnn_r101_auglocal_fpn_adamw_1x_coco.py`, which is trained by back-propagation.
"""
_base_ = [
    '../_base_/models/mask-rcnn_r34_fpn.py',
    '../_base_/datasets/coco_instance.py',
    '../_base_/schedules/coco_adamw_1x.py',
    '../_base_/default_runtime_det.py',
]
work_dir = 'work_dirs/mask-rcnn_r101-local-k2_fpn_adamw_1x_coco'
model = dict(
    type='auglocal_mm.LocalDetector',
    detector='MaskRCNN',
    local=dict(type='auglocal_mm.AugLocal', depth=3, modules=2, balance='memory'),
    # Kept in the model, so that mmdet's inference normalises images as training does.
    data_preprocessor={{_base_.data_preprocessor}},
    backbone=dict(depth=101, init_cfg=dict(
        checkpoint='work_dirs/resnet101_imagenet_auglocal/backbone.pth')),
    neck=dict(in_channels=[256, 512, 1024, 2048]))
optim_wrapper = dict(type='auglocal_mm.AugLocalOptimWrapper')
model_wrapper_cfg = dict(type='auglocal_mm.LocalDistributedDataParallel')
