"""ResNet-101 on ImageNet by AugLocal, d = 5, all 34 units isolated: 8 GPUs x 64 images.

    tools/dist_train.sh configs/auglocal/resnet101_imagenet.py 8
    tools/model_converters/export_backbone.py \
        work_dirs/resnet101_imagenet_auglocal/epoch_200.pth \
        work_dirs/resnet101_imagenet_auglocal/backbone.pth

Expected: no published figure available.
Not yet run at this length by this project.
"""
_base_ = [
    '../_base_/models/resnet101_imagenet.py',
    '../_base_/datasets/imagenet.py',
    '../_base_/schedules/imagenet_sgd_200e.py',
    '../_base_/local/auglocal_imagenet-resnet101.py',
    '../_base_/default_runtime_cls.py',
]
work_dir = 'work_dirs/resnet101_imagenet_auglocal'
model = dict(type='auglocal_mm.LocalImageClassifier', local={{_base_.local}})
# The paper's batch for ResNet-101 is half of ResNet-34's, and so is its learning rate.
optim_wrapper = dict(type='auglocal_mm.AugLocalOptimWrapper', optimizer=dict(lr=0.2))
train_dataloader = dict(batch_size=64)
auto_scale_lr = dict(base_batch_size=512)
