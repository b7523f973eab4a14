"""The schedule for STL-10: SGD, batch 128, lr 0.1, 400 epochs, warm-up and cosine."""
optim_wrapper = dict(
    type='OptimWrapper',
    optimizer=dict(type='SGD', lr=0.1, momentum=0.9, weight_decay=1e-4, nesterov=True))
param_scheduler = dict(type='auglocal_mm.WarmupCosineLR', epochs=400, warmup_epochs=10,
                       warmup_lr=0.01)

train_cfg = dict(by_epoch=True, max_epochs=400, val_interval=1)
val_cfg = dict()
test_cfg = dict()

auto_scale_lr = dict(base_batch_size=128)
