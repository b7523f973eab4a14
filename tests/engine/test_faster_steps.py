"""The lines that make a step faster leave what is learned as it is, alone and together."""
from types import SimpleNamespace

import pytest
import torch
from small import auglocal, batch, classifier

from auglocal_mm import AugLocalOptimWrapper, ChannelsLastHook

WIDE = {'type': 'auglocal_mm.ResNetCIFAR', 'depth': 20, 'stem_channels': 16, 'base_channels': 16}
HEAD = {'type': 'LinearClsHead', 'num_classes': 4, 'in_channels': 64}
OPTIMIZERS = {'SGD': {'lr': 0.1, 'momentum': 0.9, 'nesterov': True, 'weight_decay': 1e-4},
              'AdamW': {'lr': 1e-3}}


def trained(optimizer, *, wide=True, layout=False, steps=2, fused=None, **settings):
    """Return the weights after a few steps, and the loss of the first one."""
    torch.manual_seed(0)
    shape = {'backbone': WIDE, 'head': HEAD} if wide else {}
    model = classifier(auglocal(2), **shape).train()
    if layout:
        ChannelsLastHook().before_run(SimpleNamespace(model=model))
    wrapper = AugLocalOptimWrapper(getattr(torch.optim, optimizer)(
        model.parameters(), **OPTIMIZERS[optimizer], fused=fused), **settings)
    losses = [float(model.train_step(batch(), wrapper)['local_loss']) for _ in range(steps)]
    return {name: value.detach() for name, value in model.named_parameters()}, losses[0]


@pytest.mark.parametrize('per_module', [False, True], ids=['at the end', 'per module'])
@pytest.mark.parametrize('optimizer', OPTIMIZERS)
def test_a_fused_optimizer_makes_the_same_update(optimizer, per_module):
    expected, _ = trained(optimizer, steps=1)
    measured, _ = trained(optimizer, steps=1, fused=True, step_per_module=per_module)
    for name, value in expected.items():
        torch.testing.assert_close(measured[name], value, rtol=1e-5, atol=1e-6, msg=name)


def test_a_fused_optimizer_knows_the_loss_scale():
    """The scaler lets it unscale the gradients by itself."""
    settings = dict(steps=1, wide=False, dtype='float16', loss_scale=1024.0)
    expected, _ = trained('SGD', **settings)
    measured, _ = trained('SGD', **settings, fused=True)
    for name, value in expected.items():
        torch.testing.assert_close(measured[name], value, rtol=1e-5, atol=1e-6, msg=name)


def test_all_together():
    _, expected = trained('SGD')
    weights, loss = trained('SGD', layout=True, fused=True, dtype='bfloat16')
    assert loss == pytest.approx(expected, rel=0.02)
    assert all(value.isfinite().all() for value in weights.values())
    assert weights['backbone.layer1.0.conv1.weight'].is_contiguous(
        memory_format=torch.channels_last)
