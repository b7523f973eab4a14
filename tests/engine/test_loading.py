"""What an optimizer keeps for its parameters, judged after a checkpoint was taken over."""
import copy

import pytest
import torch
from mmengine.optim import OptimWrapper

from auglocal_mm.engine.loading import _state_faults

OPTIMIZERS = {
    'SGD': lambda parameters: torch.optim.SGD(parameters, lr=0.1),
    'momentum': lambda parameters: torch.optim.SGD(parameters, lr=0.1, momentum=0.9),
    'AdamW': lambda parameters: torch.optim.AdamW(parameters, lr=0.1, amsgrad=True),
    'Adagrad': lambda parameters: torch.optim.Adagrad(parameters, lr=0.1),
    'RMSprop': lambda parameters: torch.optim.RMSprop(parameters, lr=0.1, momentum=0.9),
    'Rprop': lambda parameters: torch.optim.Rprop(parameters, lr=0.1),
    'NAdam': lambda parameters: torch.optim.NAdam(parameters, lr=0.1),
    'ASGD': lambda parameters: torch.optim.ASGD(parameters, lr=0.1),
}


def stepped(kind):
    """The wrapper of an optimizer that has trained parameters of several shapes, a scalar too."""
    model = torch.nn.Sequential(torch.nn.Conv2d(2, 3, 3), torch.nn.BatchNorm2d(3))
    model.scale = torch.nn.Parameter(torch.ones(()))
    model.one = torch.nn.Parameter(torch.ones(1))
    wrapper = OptimWrapper(OPTIMIZERS[kind](model.parameters()))
    wrapper.update_params(sum((model(torch.rand(2, 2, 5, 5)) * model.scale * model.one).flatten()))
    return wrapper


@pytest.mark.parametrize('kind', OPTIMIZERS)
def test_what_an_optimizer_keeps_itself_is_sound(kind):
    assert not list(_state_faults(stepped(kind)))


@pytest.mark.parametrize('kind', [kind for kind in OPTIMIZERS if kind != 'SGD'])
@pytest.mark.parametrize('odd', ['x', -1, 2.0, torch.tensor(True), torch.zeros(7), (), True])
def test_what_it_would_not_keep_is_named(kind, odd):
    wrapper = stepped(kind)
    parameter, state = next(iter(wrapper.optimizer.state.items()))
    name = next(name for name, value in state.items() if getattr(value, 'shape', None) == (
        parameter.shape))
    wrapper.optimizer.state[parameter] = {**copy.copy(state), name: odd}
    assert name in next(_state_faults(wrapper))
