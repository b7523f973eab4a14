"""ResNet-110 on CIFAR-10, an ablation of AugLocal, d = 6 (Table 5):
repetitive with downsampling in stages 1 and 2.

    tools/train.py configs/auglocal/resnet110_cifar10_repetitive-ds12.py

Expected: 91.40 +- 0.08 % top-1 in the paper (AugLocal: 93.96 +- 0.15).
Not yet run at this length by this project.
"""
_base_ = [
    '../_base_/models/resnet110_cifar.py',
    '../_base_/datasets/cifar10.py',
    '../_base_/schedules/cifar_sgd_400e.py',
    '../_base_/local/auglocal_cifar.py',
    '../_base_/default_runtime_cls.py',
]
work_dir = 'work_dirs/resnet110_cifar10_repetitive-ds12_auglocal'
model = dict(type='auglocal_mm.LocalImageClassifier', local=dict(
    type='auglocal_mm.AugLocal', depth=6, tau=0.5,
    selection=('repetitive', 'repetitive', 'uniform')))
optim_wrapper = dict(type='auglocal_mm.AugLocalOptimWrapper')
