"""ResNet-110 on CIFAR-10 by InfoPro (softmax) at the cost of AugLocal, d = 6 (Table 4).

    tools/train.py configs/infopro/resnet110_cifar10_comparable-flops.py
    tools/train.py configs/infopro/resnet110_cifar10_comparable-flops.py \
        --work-dir work_dirs/resnet110_cifar10_comparable-flops-d3_infopro \
        --cfg-options model.local.depth=3 model.local.width=5.11

One GPU, batch 1024, 400 epochs. The auxiliary networks have 3x3 convolutions, and as many layers
as AugLocal's first one. Their width, in hundredths, is the one whose FLOPs come closest in this
project's search. GFLOPs are from tools/analysis_tools/get_complexity.py, at most 0.6 % off:

    depth   width   GFLOPs   AugLocal   top-1 in the paper (AugLocal)
        2    4.42    0.629      0.629   83.71 +- 0.20 (90.98 +- 0.05)
        3    5.11    0.690      0.690   89.14 +- 0.17 (92.62 +- 0.22)
        4    1.76    0.801      0.799   90.75 +- 0.22 (93.22 +- 0.17)
        5    1.53    0.985      0.984   91.45 +- 0.05 (93.75 +- 0.20)
        6    1.40    1.133      1.127   92.10 +- 0.17 (93.96 +- 0.15)

Expected: the last column; for d = 6, 92.10 +- 0.17 % top-1.
Not yet run at this length by this project.
"""
_base_ = [
    '../_base_/models/resnet110_cifar.py',
    '../_base_/datasets/cifar10.py',
    '../_base_/schedules/cifar_sgd_400e.py',
    '../_base_/local/infopro_resnet110.py',
    '../_base_/default_runtime_cls.py',
]
work_dir = 'work_dirs/resnet110_cifar10_comparable-flops_infopro'
model = dict(type='auglocal_mm.LocalImageClassifier', local=dict(
    type='auglocal_mm.InfoPro', lambda1=(5.0, 0.5), lambda2=(0.0, 1.0),
    depth=6, kernel_size=3, width=1.4))
optim_wrapper = dict(type='auglocal_mm.AugLocalOptimWrapper')
