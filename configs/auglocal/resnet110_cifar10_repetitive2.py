"""ResNet-110 on CIFAR-10, an ablation of AugLocal, d = 6 (Table 5):
repetitive in stage 2.

    tools/train.py configs/auglocal/resnet110_cifar10_repetitive2.py

Expected: 91.73 +- 0.11 % top-1 in the paper (AugLocal: 93.96 +- 0.15).
Not yet run at this length by this project.
"""
_base_ = [
    '../_base_/models/resnet110_cifar.py',
    '../_base_/datasets/cifar10.py',
    '../_base_/schedules/cifar_sgd_400e.py',
    '../_base_/local/auglocal_cifar.py',
    '../_base_/default_runtime_cls.py',
]
work_dir = 'work_dirs/resnet110_cifar10_repetitive2_auglocal'
model = dict(type='auglocal_mm.LocalImageClassifier', local=dict(
    type='auglocal_mm.AugLocal', depth=6, tau=0.5,
    selection=('uniform', 'repetitive', 'uniform'),
    downsample=(True, False, True)))
optim_wrapper = dict(type='auglocal_mm.AugLocalOptimWrapper')
