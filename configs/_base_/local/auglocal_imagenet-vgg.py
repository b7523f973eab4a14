"""AugLocal for VGG13 on ImageNet: all 10 units isolated, the paper's classifiers of 512 neurons.

Add this file to `_base_`, then make the model local:

    model = dict(type='auglocal_mm.LocalImageClassifier', local={{_base_.local}})
    optim_wrapper = dict(type='auglocal_mm.AugLocalOptimWrapper')
"""
local = dict(type='auglocal_mm.AugLocal', depth=5, tau=0.0, modules=10, head='mlp',
             init='pytorch')

model_wrapper_cfg = dict(type='auglocal_mm.LocalDistributedDataParallel')
custom_hooks = [dict(type='auglocal_mm.AuxiliaryHeadHook')]
