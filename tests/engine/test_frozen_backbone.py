"""A frozen backbone stays as it is, whatever the loop does around it."""
from types import SimpleNamespace

import pytest
import torch
from torch import nn

from auglocal_mm import FrozenBackboneHook
from auglocal_mm.models import LocalTraining


class Small(nn.Module):
    def __init__(self):
        super().__init__()
        self.backbone = nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.Dropout(0.5))
        self.head = nn.Sequential(nn.Conv2d(4, 4, 3), nn.BatchNorm2d(4))

    def forward(self, images):
        return self.head(self.backbone(images))


class Local(LocalTraining, nn.Module):
    def __init__(self):
        nn.Module.__init__(self)
        self.backbone = nn.Conv2d(3, 4, 3)


def test_weights_and_statistics_stay_and_the_head_learns():
    model, hook = Small(), FrozenBackboneHook()
    # The optimizer is built before any hook runs, so it knows the frozen parameters.
    optimizer = torch.optim.AdamW(model.parameters(), lr=0.1, weight_decay=0.5)
    before = {key: value.clone() for key, value in model.state_dict().items()}
    runner = SimpleNamespace(model=model)
    hook.before_train(runner)
    for _ in range(2):
        model.train()
        hook.before_train_iter(runner, 0)
        model(torch.randn(2, 3, 8, 8)).square().sum().backward()
        optimizer.step()
    after = model.state_dict()
    assert all(torch.equal(after[key], before[key]) for key in after if key.startswith('backbone'))
    assert not any(torch.equal(after[key], before[key]) for key in after
                   if key.startswith('head'))
    assert (model.backbone.training, model.head.training) == (False, True)


@pytest.mark.parametrize(('model', 'told'), [
    (nn.Linear(2, 2), 'needs a model with a backbone, got a Linear'),
    (Local(), 'a frozen backbone has nothing to learn, but Local trains it locally')],
    ids=['no backbone', 'local'])
def test_what_cannot_be_frozen_is_refused(model, told):
    with pytest.raises(TypeError, match=told):
        FrozenBackboneHook().before_train(SimpleNamespace(model=model))
