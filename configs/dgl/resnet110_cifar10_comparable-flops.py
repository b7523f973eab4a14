"""ResNet-110 on CIFAR-10 by DGL at the cost of AugLocal, d = 6 (Table 4).

    tools/train.py configs/dgl/resnet110_cifar10_comparable-flops.py
    tools/train.py configs/dgl/resnet110_cifar10_comparable-flops.py \
        --work-dir work_dirs/resnet110_cifar10_comparable-flops-d3_dgl \
        --cfg-options model.local.depth=3 model.local.width=14.59

One GPU, batch 1024, 400 epochs. The auxiliary networks have 3x3 convolutions, and as many layers
as AugLocal's first one. Their width, in hundredths, is the one whose FLOPs come closest in this
project's search. GFLOPs are from tools/analysis_tools/get_complexity.py, at most 0.1 % off:

    depth   width   GFLOPs   AugLocal   top-1 in the paper (AugLocal)
        2   46.10    0.629      0.629   83.03 +- 0.24 (90.98 +- 0.05)
        3   14.59    0.690      0.690   85.82 +- 0.08 (92.62 +- 0.22)
        4   12.22    0.799      0.799   87.84 +- 0.46 (93.22 +- 0.17)
        5    7.79    0.984      0.984   89.19 +- 0.20 (93.75 +- 0.20)
        6    6.58    1.128      1.127   90.01 +- 0.05 (93.96 +- 0.15)

Expected: the last column; for d = 6, 90.01 +- 0.05 % top-1.
Not yet run at this length by this project.
"""
_base_ = [
    '../_base_/models/resnet110_cifar.py',
    '../_base_/datasets/cifar10.py',
    '../_base_/schedules/cifar_sgd_400e.py',
    '../_base_/local/dgl.py',
    '../_base_/default_runtime_cls.py',
]
work_dir = 'work_dirs/resnet110_cifar10_comparable-flops_dgl'
model = dict(type='auglocal_mm.LocalImageClassifier', local=dict(
    type='auglocal_mm.DGL', depth=6, kernel_size=3, width=6.58))
optim_wrapper = dict(type='auglocal_mm.AugLocalOptimWrapper')
