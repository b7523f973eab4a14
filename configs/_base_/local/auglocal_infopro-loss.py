"""AugLocal plus reconstruction, weighted as in InfoPro for ResNet-110 (Table 8).

For the weights of ResNet-32: lambda1=(5.0, 0.2), lambda2=(0.05, 0.5).

Add this file to `_base_`, then make the model local:

    model = dict(type='auglocal_mm.LocalImageClassifier', local={{_base_.local}})
    optim_wrapper = dict(type='auglocal_mm.AugLocalOptimWrapper')
"""
local = dict(type='auglocal_mm.AugLocal', depth=6, tau=0.5, second_loss='reconstruction',
             lambda1=(5.0, 0.5), lambda2=(0.0, 1.0))

model_wrapper_cfg = dict(type='auglocal_mm.LocalDistributedDataParallel')
custom_hooks = [dict(type='auglocal_mm.AuxiliaryHeadHook')]
