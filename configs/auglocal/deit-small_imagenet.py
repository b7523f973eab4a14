"""DeiT-Small on ImageNet by AugLocal, d = 3, 13 units isolated: 4 GPUs x 256 images.

    tools/dist_train.sh configs/auglocal/deit-small_imagenet.py 4

Everything but the rule is mmpretrain's own config. The paper does not cover this network, so
no figure is published. Not yet run at this length by this project.
"""
_base_ = 'mmpretrain::deit/deit-small_4xb256_in1k.py'
work_dir = 'work_dirs/deit-small_imagenet_auglocal'
model = dict(
    type='auglocal_mm.LocalImageClassifier',
    local=dict(type='auglocal_mm.AugLocal', depth=3, tau=0.0, modules=13,
               batch_norm_before_fc=False))
optim_wrapper = dict(type='auglocal_mm.AugLocalOptimWrapper')
model_wrapper_cfg = dict(type='auglocal_mm.LocalDistributedDataParallel')
custom_hooks = [dict(type='auglocal_mm.AuxiliaryHeadHook')]
