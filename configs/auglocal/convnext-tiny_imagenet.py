"""ConvNeXt-T on ImageNet by AugLocal, d = 3, 19 units isolated: 32 GPUs x 128 images.

    tools/dist_train.sh configs/auglocal/convnext-tiny_imagenet.py 32

Everything but the rule is mmpretrain's own config. The paper does not cover this network, so
no figure is published. Not yet run at this length by this project.
"""
_base_ = 'mmpretrain::convnext/convnext-tiny_32xb128_in1k.py'
work_dir = 'work_dirs/convnext-tiny_imagenet_auglocal'
model = dict(
    type='auglocal_mm.LocalImageClassifier',
    local=dict(type='auglocal_mm.AugLocal', depth=3, tau=0.0, modules=19,
               batch_norm_before_fc=False))
optim_wrapper = dict(type='auglocal_mm.AugLocalOptimWrapper')
model_wrapper_cfg = dict(type='auglocal_mm.LocalDistributedDataParallel')
custom_hooks = [
    # A list replaces the inherited one, so the hook of mmpretrain's own config is repeated.
    dict(type='EMAHook', momentum=1e-4, priority='ABOVE_NORMAL'),
    dict(type='auglocal_mm.AuxiliaryHeadHook'),
]
