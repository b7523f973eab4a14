"""ResNet-32 on SVHN by back-propagation: one GPU, batch 1024, 400 epochs.

    tools/train.py configs/bp/resnet32_svhn.py

Expected: no published figure available.
Not yet run at this length by this project.
"""
_base_ = [
    '../_base_/models/resnet32_cifar.py',
    '../_base_/datasets/svhn.py',
    '../_base_/schedules/cifar_sgd_400e.py',
    '../_base_/local/backprop.py',
    '../_base_/default_runtime_cls.py',
]
work_dir = 'work_dirs/resnet32_svhn_bp'
model = dict(type='auglocal_mm.LocalImageClassifier', local={{_base_.local}})
optim_wrapper = dict(type='auglocal_mm.AugLocalOptimWrapper')
