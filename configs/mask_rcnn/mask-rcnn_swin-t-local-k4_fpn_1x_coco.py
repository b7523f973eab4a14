"""Mask R-CNN on COCO, Swin-T FPN trained in 4 local modules: 8 GPUs x 2 images, 12 epochs.

    tools/dist_train.sh configs/mask_rcnn/mask-rcnn_swin-t-local-k4_fpn_1x_coco.py 8

Everything but local learning is mmdet's own config, which starts from the weights of
Swin's authors and reaches 42.7 box AP and 39.3 mask AP by back-propagation.
Expected: no published figure available. Not yet run at this length by this project.
"""
_base_ = 'mmdet::swin/mask-rcnn_swin-t-p4-w7_fpn_1x_coco.py'
work_dir = 'work_dirs/mask-rcnn_swin-t-local-k4_fpn_1x_coco'
model = dict(
    type='auglocal_mm.LocalDetector',
    detector='MaskRCNN',
    local=dict(type='auglocal_mm.AugLocal', depth=3, modules=4, balance='memory'))
optim_wrapper = dict(type='auglocal_mm.AugLocalOptimWrapper')
model_wrapper_cfg = dict(type='auglocal_mm.LocalDistributedDataParallel')
