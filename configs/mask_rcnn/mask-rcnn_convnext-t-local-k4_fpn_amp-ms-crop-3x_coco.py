"""Mask R-CNN on COCO, ConvNeXt-T FPN trained in 4 local modules: 8 GPUs x 2 images, 36 epochs.

    tools/dist_train.sh configs/mask_rcnn/mask-rcnn_convnext-t-local-k4_fpn_amp-ms-crop-3x_coco.py 8

Everything but local learning is mmdet's own config, which starts from mmpretrain's
weights and reaches 46.2 box AP and 41.7 mask AP by back-propagation.
Expected: no published figure available. Not yet run at this length by this project.
"""
_base_ = 'mmdet::convnext/mask-rcnn_convnext-t-p4-w7_fpn_amp-ms-crop-3x_coco.py'
work_dir = 'work_dirs/mask-rcnn_convnext-t-local-k4_fpn_amp-ms-crop-3x_coco'
model = dict(
    type='auglocal_mm.LocalDetector',
    detector='MaskRCNN',
    local=dict(type='auglocal_mm.AugLocal', depth=3, modules=4, balance='memory'))
optim_wrapper = dict(type='auglocal_mm.AugLocalOptimWrapper', dtype='float16')
model_wrapper_cfg = dict(type='auglocal_mm.LocalDistributedDataParallel')
