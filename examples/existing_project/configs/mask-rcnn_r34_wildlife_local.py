"""The same, from the backbone that was trained by local learning and exported."""
_base_ = './mask-rcnn_r34_wildlife.py'
model = dict(backbone=dict(init_cfg=dict(
    type='Pretrained', prefix='backbone.',
    checkpoint='work_dirs/resnet34_wildlife_local/backbone.pth')))
custom_hooks = [dict(type='auglocal_mm.VerifyPretrainedHook')]
