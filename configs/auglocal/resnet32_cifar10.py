"""ResNet-32 on CIFAR-10 by AugLocal, d = 6: one GPU, batch 1024, 400 epochs.

    tools/train.py configs/auglocal/resnet32_cifar10.py

Expected: no published figure available.
Not yet run at this length by this project.
"""
_base_ = [
    '../_base_/models/resnet32_cifar.py',
    '../_base_/datasets/cifar10.py',
    '../_base_/schedules/cifar_sgd_400e.py',
    '../_base_/local/auglocal_cifar.py',
    '../_base_/default_runtime_cls.py',
]
work_dir = 'work_dirs/resnet32_cifar10_auglocal'
model = dict(type='auglocal_mm.LocalImageClassifier', local={{_base_.local}})
optim_wrapper = dict(type='auglocal_mm.AugLocalOptimWrapper')
