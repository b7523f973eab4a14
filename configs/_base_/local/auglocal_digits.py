"""AugLocal for the slim ResNet-34 on the embedded digits: two blocks, pyramid."""
local = dict(type='auglocal_mm.AugLocal', depth=3, tau=0.5)

model_wrapper_cfg = dict(type='auglocal_mm.LocalDistributedDataParallel')
custom_hooks = [dict(type='auglocal_mm.AuxiliaryHeadHook')]
