"""Costs on fake tensors against the same parts run for real."""
import pytest
import torch
from networks import NETWORKS
from torch import nn

from auglocal_mm.execution.cost_counter import CostCounter
from auglocal_mm.lab.measure.memory import SavedActivations
from auglocal_mm.partition import partition
from auglocal_mm.plan import together


def fake_units(backbone, units, side):
    """The cost of each unit in training, of two images."""
    counter, costs = CostCounter(), []
    twin = counter.copy(backbone)
    with counter.building():
        x = torch.empty(2, 3, side, side)
    for unit in units:
        def run(unit=unit, x=x):
            y = unit.forward(twin, x)
            return y, [output(twin, y) for output in unit.outputs]
        (x, _), cost = counter.count(run)
        costs.append(cost)
    return costs


def _cases():
    """Each family with a part frozen and without; one case of most families, all in slow runs."""
    quick = {('CIFAR ResNet-20', False), ('ResNet-18', True), ('VGG11', True),
             ('VisionTransformer', False), ('SwinTransformer', True), ('ConvNeXt', False)}
    return [pytest.param(name, freeze, id=f'{name}{" frozen" * freeze}',
                         marks=[] if (name, freeze) in quick else pytest.mark.slow)
            for name in NETWORKS for freeze in (False, True)]


@pytest.mark.parametrize(('name', 'freeze'), _cases())
def test_bytes_are_those_that_units_save(name, freeze):
    """After each unit, all that has been saved so far, each storage once."""
    network = NETWORKS[name]
    torch.manual_seed(0)
    backbone = network.build(**(network.frozen or {} if freeze else {}))
    backbone.train()
    units = partition(backbone)
    costs = fake_units(backbone, units, network.side)
    x = torch.randn(2, 3, network.side, network.side)
    emitted = []
    with SavedActivations([*backbone.parameters(), *backbone.buffers()]) as counter:
        for index, unit in enumerate(units):
            x = unit.forward(backbone, x)
            emitted += [output(backbone, x) for output in unit.outputs]
            assert together(costs[:index + 1]).bytes == counter.live_bytes
            trained = any(each.requires_grad for each in unit.parameters(backbone))
            assert trained == bool(costs[index].kept)


def test_flops_are_multiply_adds_of_both_passes():
    layer, frozen = nn.Linear(5, 3), nn.Conv2d(3, 4, 3, padding=1).requires_grad_(False)
    counter = CostCounter()
    twin, other = counter.copy(layer), counter.copy(frozen)
    with counter.building():
        x, images = torch.empty(7, 5), torch.empty(2, 3, 6, 6)
    assert counter.count(lambda: twin(x))[1].flops == 3 * 7 * 5 * 3
    cost = counter.count(lambda: other(images))[1]
    assert cost.flops == 2 * 36 * 4 * 3 * 9 and not cost.kept


def test_counting_draws_no_random_numbers_and_changes_nothing():
    module = nn.Sequential(nn.Linear(4, 4), nn.BatchNorm1d(4), nn.Dropout())
    before = {key: value.clone() for key, value in module.state_dict().items()}
    state = torch.get_rng_state()
    counter = CostCounter()
    twin = counter.copy(module)
    with counter.building():
        x = torch.randn(2, 4)
        nn.Linear(4, 4)
    counter.count(lambda: twin(x))
    assert torch.equal(state, torch.get_rng_state())
    assert all(torch.equal(before[key], value) for key, value in module.state_dict().items())


def test_nothing_is_allocated():
    counter = CostCounter()
    with counter.building():  # 4 TiB
        layer = counter.exclude(nn.Linear(2**20, 2**20, bias=False))
        x = torch.empty(1, 2**20)
    _, cost = counter.count(lambda: layer(x))
    assert cost.bytes == 2**22 and cost.flops == 3 * 2**40
