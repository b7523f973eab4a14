"""Mask R-CNN on COCO, ResNet-50 FPN trained in 2 local modules: 8 GPUs x 2 images, 12 epochs.

    tools/dist_train.sh configs/mask_rcnn/mask-rcnn_r50-local-k2_fpn_1x_coco.py 8

Everything but local learning is mmdet's own config, which starts from torchvision's
weights and reaches 38.2 box AP and 34.7 mask AP by back-propagation.
Expected: no published figure available. Not yet run at this length by this project.
"""
_base_ = 'mmdet::mask_rcnn/mask-rcnn_r50_fpn_1x_coco.py'
work_dir = 'work_dirs/mask-rcnn_r50-local-k2_fpn_1x_coco'
model = dict(
    type='auglocal_mm.LocalDetector',
    detector='MaskRCNN',
    local=dict(type='auglocal_mm.AugLocal', depth=3, modules=2, balance='memory'))
optim_wrapper = dict(type='auglocal_mm.AugLocalOptimWrapper')
model_wrapper_cfg = dict(type='auglocal_mm.LocalDistributedDataParallel')
