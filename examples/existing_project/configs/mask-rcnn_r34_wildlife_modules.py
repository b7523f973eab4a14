"""The same detector, its backbone trained in 3 modules."""
_base_ = './mask-rcnn_r34_wildlife_local.py'
model = dict(type='auglocal_mm.LocalDetector', detector='MaskRCNN',
             local=dict(type='auglocal_mm.AugLocal', depth=3, modules=3))
optim_wrapper = dict(type='auglocal_mm.AugLocalOptimWrapper')
model_wrapper_cfg = dict(type='auglocal_mm.LocalDistributedDataParallel')
