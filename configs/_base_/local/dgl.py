"""DGL as the paper compares it: every unit isolated.

Add this file to `_base_`, then make the model local:

    model = dict(type='auglocal_mm.LocalImageClassifier', local={{_base_.local}})
    optim_wrapper = dict(type='auglocal_mm.AugLocalOptimWrapper')
"""
local = dict(type='auglocal_mm.DGL')

model_wrapper_cfg = dict(type='auglocal_mm.LocalDistributedDataParallel')
custom_hooks = [dict(type='auglocal_mm.AuxiliaryHeadHook')]
