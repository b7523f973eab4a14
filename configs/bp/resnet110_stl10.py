"""ResNet-110 on STL-10 by back-propagation: one GPU, batch 128, 400 epochs.

    tools/train.py configs/bp/resnet110_stl10.py

Expected: no published figure available.
Not yet run at this length by this project.
"""
_base_ = [
    '../_base_/models/resnet110_cifar.py',
    '../_base_/datasets/stl10.py',
    '../_base_/schedules/stl10_sgd_400e.py',
    '../_base_/local/backprop.py',
    '../_base_/default_runtime_cls.py',
]
work_dir = 'work_dirs/resnet110_stl10_bp'
model = dict(type='auglocal_mm.LocalImageClassifier', local={{_base_.local}})
optim_wrapper = dict(type='auglocal_mm.AugLocalOptimWrapper')
