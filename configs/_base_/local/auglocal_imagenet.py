"""AugLocal as in the paper's ImageNet run of ResNet-34, for any config of that network.

Four blocks and a classifier, all 17 units isolated, no pyramid. For another
backbone, set `modules` to its number of units. With `None`, the last `depth`
units form one module. Add this file to `_base_`, then make the model local:

    model = dict(type='auglocal_mm.LocalImageClassifier', local={{_base_.local}})
    optim_wrapper = dict(type='auglocal_mm.AugLocalOptimWrapper')
"""
local = dict(type='auglocal_mm.AugLocal', depth=5, tau=0.0, modules=17,
             batch_norm_before_fc=False)

model_wrapper_cfg = dict(type='auglocal_mm.LocalDistributedDataParallel')
custom_hooks = [dict(type='auglocal_mm.AuxiliaryHeadHook')]
