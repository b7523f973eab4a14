"""MobileNetV2 on CIFAR-10 by back-propagation: one GPU, batch 1024, 400 epochs.

    tools/train.py configs/bp/mobilenet-v2_cifar10.py

Expected: 94.89 +- 0.15 % top-1 in the paper.
Not yet run at this length by this project.
"""
_base_ = [
    '../_base_/models/mobilenet-v2_cifar.py',
    '../_base_/datasets/cifar10.py',
    '../_base_/schedules/cifar_sgd_400e.py',
    '../_base_/local/backprop.py',
    '../_base_/default_runtime_cls.py',
]
work_dir = 'work_dirs/mobilenet-v2_cifar10_bp'
model = dict(type='auglocal_mm.LocalImageClassifier', local={{_base_.local}})
optim_wrapper = dict(type='auglocal_mm.AugLocalOptimWrapper')
