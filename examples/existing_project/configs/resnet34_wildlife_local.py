"""The same classifier, trained by local learning."""
_base_ = './resnet34_wildlife.py'
model = dict(type='auglocal_mm.LocalImageClassifier',
             local=dict(type='auglocal_mm.AugLocal', depth=3))
optim_wrapper = dict(type='auglocal_mm.AugLocalOptimWrapper')
model_wrapper_cfg = dict(type='auglocal_mm.LocalDistributedDataParallel')
