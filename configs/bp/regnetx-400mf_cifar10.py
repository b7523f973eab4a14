"""RegNetX-400MF on CIFAR-10 by back-propagation: one GPU, batch 1024, 400 epochs.

    tools/train.py configs/bp/regnetx-400mf_cifar10.py

Expected: 95.70 +- 0.12 % top-1 in the paper.
Not yet run at this length by this project.
"""
_base_ = [
    '../_base_/models/regnetx-400mf_cifar.py',
    '../_base_/datasets/cifar10.py',
    '../_base_/schedules/cifar_sgd_400e.py',
    '../_base_/local/backprop.py',
    '../_base_/default_runtime_cls.py',
]
work_dir = 'work_dirs/regnetx-400mf_cifar10_bp'
model = dict(type='auglocal_mm.LocalImageClassifier', local={{_base_.local}})
optim_wrapper = dict(type='auglocal_mm.AugLocalOptimWrapper')
