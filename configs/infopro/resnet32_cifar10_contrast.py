"""ResNet-32 on CIFAR-10 by InfoPro (contrast): one GPU, batch 1024, 400 epochs.

    tools/train.py configs/infopro/resnet32_cifar10_contrast.py

Expected: no published figure available.
Not yet run at this length by this project.
"""
_base_ = [
    '../_base_/models/resnet32_cifar.py',
    '../_base_/datasets/cifar10.py',
    '../_base_/schedules/cifar_sgd_400e.py',
    '../_base_/local/infopro_resnet32.py',
    '../_base_/default_runtime_cls.py',
]
work_dir = 'work_dirs/resnet32_cifar10_contrast_infopro'
model = dict(type='auglocal_mm.LocalImageClassifier', local=dict(
    type='auglocal_mm.InfoPro', loss='contrast', lambda1=(5.0, 0.2), lambda2=(0.05, 0.5)))
optim_wrapper = dict(type='auglocal_mm.AugLocalOptimWrapper')
