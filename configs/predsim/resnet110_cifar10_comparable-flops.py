"""ResNet-110 on CIFAR-10 by PredSim at the cost of AugLocal, d = 6 (Table 4).

    tools/train.py configs/predsim/resnet110_cifar10_comparable-flops.py
    tools/train.py configs/predsim/resnet110_cifar10_comparable-flops.py \
        --work-dir work_dirs/resnet110_cifar10_comparable-flops-d3_predsim \
        --cfg-options model.local.depth=3 model.local.width=1.41

One GPU, batch 1024, 400 epochs. The auxiliary networks have 3x3 convolutions, and as many layers
as AugLocal's first one. Their width, in hundredths, is the one whose FLOPs come closest in this
project's search. GFLOPs are from tools/analysis_tools/get_complexity.py, at most 1.2 % off:

    depth   width   GFLOPs   AugLocal   top-1 in the paper (AugLocal)
        2    2.91    0.630      0.629   72.06 +- 0.63 (90.98 +- 0.05)
        3    1.41    0.695      0.690   80.16 +- 0.47 (92.62 +- 0.22)
        4    1.22    0.801      0.799   86.00 +- 0.56 (93.22 +- 0.17)
        5    1.22    0.995      0.984   88.27 +- 0.72 (93.75 +- 0.20)
        6    1.18    1.132      1.127   88.34 +- 0.34 (93.96 +- 0.15)

Expected: the last column; for d = 6, 88.34 +- 0.34 % top-1.
Not yet run at this length by this project.
"""
_base_ = [
    '../_base_/models/resnet110_cifar.py',
    '../_base_/datasets/cifar10.py',
    '../_base_/schedules/cifar_sgd_400e.py',
    '../_base_/local/predsim.py',
    '../_base_/default_runtime_cls.py',
]
work_dir = 'work_dirs/resnet110_cifar10_comparable-flops_predsim'
model = dict(type='auglocal_mm.LocalImageClassifier', local=dict(
    type='auglocal_mm.PredSim', depth=6, kernel_size=3, width=1.18))
optim_wrapper = dict(type='auglocal_mm.AugLocalOptimWrapper')
