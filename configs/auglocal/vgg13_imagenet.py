"""VGG13 on ImageNet by AugLocal, d = 5, all 10 units isolated: 8 GPUs x 32 images.

    tools/dist_train.sh configs/auglocal/vgg13_imagenet.py 8
    tools/model_converters/export_backbone.py \
        work_dirs/vgg13_imagenet_auglocal/epoch_90.pth \
        work_dirs/vgg13_imagenet_auglocal/backbone.pth

Expected: no published figure available.
Not yet run at this length by this project.
"""
_base_ = [
    '../_base_/models/vgg13_imagenet.py',
    '../_base_/datasets/imagenet.py',
    '../_base_/schedules/imagenet_sgd_90e.py',
    '../_base_/local/auglocal_imagenet-vgg.py',
    '../_base_/default_runtime_cls.py',
]
work_dir = 'work_dirs/vgg13_imagenet_auglocal'
model = dict(type='auglocal_mm.LocalImageClassifier', local={{_base_.local}})
optim_wrapper = dict(type='auglocal_mm.AugLocalOptimWrapper')
train_dataloader = dict(batch_size=32)
