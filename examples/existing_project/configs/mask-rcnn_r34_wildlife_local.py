"""The same detector, starting from the exported backbone of the local classifier."""
_base_ = './mask-rcnn_r34_wildlife.py'
model = dict(backbone=dict(init_cfg=dict(
    type='Pretrained', prefix='backbone.',
    checkpoint='work_dirs/resnet34_wildlife_local/backbone.pth')))
custom_hooks = [dict(type='auglocal_mm.VerifyPretrainedHook')]
