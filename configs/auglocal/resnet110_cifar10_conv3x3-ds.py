"""ResNet-110 on CIFAR-10, an ablation of AugLocal (Table 5):
3x3 convolutions with downsampling in all stages, AP-cC3 x6-AP-10FC in the paper's notation.

    tools/train.py configs/auglocal/resnet110_cifar10_conv3x3-ds.py

Six convolutions and the classifier count as depth 7, so the last 7 units are trained
together, one more than in the other rows. The paper does not say where it pools;
here 2x2 average pooling comes before the first convolution.

Expected: 88.28 +- 0.24 % top-1 in the paper (AugLocal: 93.96 +- 0.15).
Not yet run at this length by this project.
"""
_base_ = [
    '../_base_/models/resnet110_cifar.py',
    '../_base_/datasets/cifar10.py',
    '../_base_/schedules/cifar_sgd_400e.py',
    '../_base_/local/auglocal_cifar.py',
    '../_base_/default_runtime_cls.py',
]
work_dir = 'work_dirs/resnet110_cifar10_conv3x3-ds_auglocal'
model = dict(type='auglocal_mm.LocalImageClassifier', local=dict(
    type='auglocal_mm.AugLocal', depth=7, tau=0.0, selection='repetitive', block='conv3x3'))
optim_wrapper = dict(type='auglocal_mm.AugLocalOptimWrapper')
