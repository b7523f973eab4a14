"""ResNet-34 on ImageNet by AugLocal, d = 5, all 17 units isolated: 8 GPUs x 128 images.

    tools/dist_train.sh configs/auglocal/resnet34_imagenet.py 8
    tools/model_converters/export_backbone.py \
        work_dirs/resnet34_imagenet_auglocal/epoch_200.pth \
        work_dirs/resnet34_imagenet_auglocal/backbone.pth

Expected: a backbone that Mask R-CNN fine-tunes to 36.2 box AP on COCO in the
paper (BP: 36.3).
Not yet run at this length by this project.
"""
_base_ = [
    '../_base_/models/resnet34_imagenet.py',
    '../_base_/datasets/imagenet.py',
    '../_base_/schedules/imagenet_sgd_200e.py',
    '../_base_/local/auglocal_imagenet.py',
    '../_base_/default_runtime_cls.py',
]
work_dir = 'work_dirs/resnet34_imagenet_auglocal'
model = dict(type='auglocal_mm.LocalImageClassifier', local={{_base_.local}})
optim_wrapper = dict(type='auglocal_mm.AugLocalOptimWrapper')
