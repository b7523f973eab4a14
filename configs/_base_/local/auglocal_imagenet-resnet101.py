"""AugLocal as in the paper's ImageNet runs, for ResNet-101: all 34 units isolated.

Add this file to `_base_`, then make the model local:

    model = dict(type='auglocal_mm.LocalImageClassifier', local={{_base_.local}})
    optim_wrapper = dict(type='auglocal_mm.AugLocalOptimWrapper')
"""
local = dict(type='auglocal_mm.AugLocal', depth=5, tau=0.0, modules=34,
             batch_norm_before_fc=False)

model_wrapper_cfg = dict(type='auglocal_mm.LocalDistributedDataParallel')
custom_hooks = [dict(type='auglocal_mm.AuxiliaryHeadHook')]
