"""12 epochs of 11 steps: a classifier for the embedded digits in seconds."""
optim_wrapper = dict(
    type='OptimWrapper',
    optimizer=dict(type='SGD', lr=0.1, momentum=0.9, weight_decay=1e-4, nesterov=True))
param_scheduler = [
    dict(type='LinearLR', start_factor=0.1, by_epoch=False, begin=0, end=22),
    # Its end is stated, so that a shorter run is possible.
    dict(type='CosineAnnealingLR', by_epoch=False, begin=22, end=11 * 12, T_max=11 * 12 - 22),
]

train_cfg = dict(by_epoch=True, max_epochs=12, val_interval=1)
val_cfg = dict()
test_cfg = dict()
