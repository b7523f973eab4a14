"""The CIFAR schedule, at every epoch and across a resume."""
import math

import pytest
import torch
from mmengine.registry import PARAM_SCHEDULERS


def paper(epoch, lr=0.8, epochs=400):
    rate = lr / 2 * (1 + math.cos(math.pi * epoch / epochs))
    if epoch <= 10:
        rate = rate * (epoch - 1) / 10 + 0.01 * (11 - epoch) / 10
    return rate


def build(**settings):
    optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=0.8)
    return optimizer, PARAM_SCHEDULERS.build(
        {'type': 'auglocal_mm.WarmupCosineLR', 'optimizer': optimizer, 'epochs': 400, **settings})


def test_every_epoch_has_the_papers_rate_across_a_resume():
    optimizer, scheduler = build()
    for epoch in range(1, 401):
        assert optimizer.param_groups[0]['lr'] == pytest.approx(paper(epoch), rel=1e-12)
        if epoch in (3, 10, 200):
            state, rate = scheduler.state_dict(), optimizer.param_groups[0]['lr']
            optimizer, scheduler = build()
            scheduler.load_state_dict(state)
            optimizer.param_groups[0]['lr'] = rate
        optimizer.step()
        scheduler.step()
    assert optimizer.param_groups[0]['lr'] == 0


@pytest.mark.parametrize(('settings', 'said'), [
    ({'epochs': 0}, 'epochs must be an integer of at least 1, got 0'),
    ({'warmup_epochs': -1}, 'got -1'),
    ({'by_epoch': False}, 'by_epoch must be True'),
])
def test_impossible_settings_are_refused(settings, said):
    with pytest.raises(ValueError, match=said):
        build(**settings)
