"""A slim ResNet-34 on the embedded digits by AugLocal: seconds on two CPU cores.

    tools/train.py configs/demo/resnet34-slim_digits_auglocal.py

Expected: the top-1 accuracy and the seconds in docs/benchmarks.md.
"""
_base_ = [
    '../_base_/models/resnet34_slim.py',
    '../_base_/datasets/digits.py',
    '../_base_/schedules/digits_sgd.py',
    '../_base_/local/auglocal_digits.py',
    '../_base_/default_runtime_cls.py',
]
work_dir = 'work_dirs/resnet34-slim_digits_auglocal'
model = dict(type='auglocal_mm.LocalImageClassifier', local={{_base_.local}})
optim_wrapper = dict(type='auglocal_mm.AugLocalOptimWrapper')
default_hooks = dict(logger=dict(interval=11))
randomness = dict(seed=0)
