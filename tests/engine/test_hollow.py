"""Hollow tensors: they take no memory, draw what others draw, and nobody gets their values."""
import copy
import io
import logging
import pickle
from contextlib import nullcontext

import pytest
import torch
from mmengine.logging import MMLogger
from mmengine.model import BaseModule
from torch import nn

from auglocal_mm.engine.share import hollow
from auglocal_mm.engine.share.hollow import HollowTensors, NeedsWholeError
from auglocal_mm.engine.share.order import Order
from auglocal_mm.execution.carry import Layout

SHAPE = (6, 5, 3, 7)
LAYOUTS = {
    'contiguous': lambda x: x,
    'channels last': lambda x: x.to(memory_format=torch.channels_last),
    'double': lambda x: x.double(),
    'half': lambda x: x.to(torch.bfloat16),
}
DRAWS = {
    'normal': lambda x: x.normal_(1.0, 2.0),
    'uniform': lambda x: x.uniform_(-1, 1),
    'truncated': lambda x: nn.init.trunc_normal_(x, std=0.02),
    'kaiming': lambda x: nn.init.kaiming_normal_(x, mode='fan_out'),
    'xavier': nn.init.xavier_uniform_,
    'orthogonal': lambda x: nn.init.orthogonal_(x.float()) if x.dtype is torch.bfloat16
    else nn.init.orthogonal_(x),
    'sparse copy': lambda x: x.copy_(torch.rand(SHAPE).masked_fill(torch.rand(SHAPE) < 0.5, 0.0)),
    'constant': lambda x: nn.init.constant_(x, 3.0),
    'twice': lambda x: x.exponential_().mul_(2).add_(torch.rand(7)),
    'bernoulli': lambda x: x.bernoulli_(0.3),
    'like': lambda x: torch.rand_like(x) + torch.randn_like(x.contiguous()),
    'shuffled': lambda x: torch.randperm(x.numel()),
}


@pytest.fixture(autouse=True)
def _all_are_large(monkeypatch):
    monkeypatch.setattr(hollow, 'LEAST_VALUES', 2)


def draw(kind, layout, mode=None):
    """Return what the next number would be after a tensor was drawn, and that tensor."""
    torch.manual_seed(0)
    tensor = LAYOUTS[layout](torch.empty(SHAPE))
    if mode is not None:
        with torch.no_grad(), mode:
            mode.empty(parts := [tensor])
            DRAWS[kind](tensor)
            del parts
    else:
        with torch.no_grad():
            DRAWS[kind](tensor)
    return torch.get_rng_state(), tensor


@pytest.mark.parametrize(('kind', 'layout'), [
    (kind, layout) for kind in DRAWS for layout in LAYOUTS
    if (kind, layout) != ('orthogonal', 'channels last')])  # which torch refuses
def test_what_follows_a_draw_is_the_same(kind, layout):
    wanted, real = draw(kind, layout)
    mode = HollowTensors(Order(()))
    found, tensor = draw(kind, layout, mode)
    assert torch.equal(wanted, found)
    assert tensor.shape == real.shape
    assert tensor.dtype == real.dtype
    assert tensor.untyped_storage().nbytes() == tensor.element_size()
    assert mode.layout_of(tensor) == Layout.of(real)


def test_a_survey_draws_nothing_for_what_is_hollow():
    wanted = torch.manual_seed(0).get_state()
    with HollowTensors(Order()):
        nn.Sequential(nn.Conv2d(8, 8, 3), nn.Linear(40, 50))
    # The biases are large enough here as well.
    assert torch.equal(wanted, torch.get_rng_state())


@pytest.fixture
def one():
    """A mode that is on, and a hollow tensor of it."""
    with HollowTensors(Order(())) as mode, torch.no_grad():
        tensor = torch.empty(SHAPE)
        mode.empty([tensor])
        yield mode, tensor


FROM = {
    'clone': torch.clone, 'product': lambda x: x * 2, 'sum': lambda x: x.sum((1, 2)),
    'mean': torch.mean, 'view': lambda x: x.flatten(1), 'part': lambda x: x[2:4, 1],
    'transposed': lambda x: x.transpose(0, 1).contiguous(), 'double': lambda x: x.double(),
    'layout': lambda x: x.to(memory_format=torch.channels_last),
    'parameter': nn.Parameter, 'data': lambda x: nn.Parameter(x).data,
    'deep copy': lambda x: copy.deepcopy(nn.Parameter(x)),
    'with another': lambda x: torch.ones(SHAPE) + x, 'joined': lambda x: torch.cat([x, x]),
    'split': lambda x: torch.cat([x, x]).chunk(2)[0],
    'kernel that reads memory': lambda x: torch._weight_norm(x, torch.ones(6, 1, 1, 1)),
}


@pytest.mark.parametrize('how', FROM)
def test_what_is_computed_from_it_is_not_there_either(how, one):
    mode, tensor = one
    derived = FROM[how](tensor)
    assert not mode.is_there(derived)
    with torch._C.DisableTorchFunction():
        assert derived.untyped_storage().nbytes() <= 8
    assert derived.shape == FROM[how](torch.empty(SHAPE)).shape
    if derived.dim():
        with pytest.raises(NeedsWholeError, match="build='whole'"):
            torch.empty(derived.shape).copy_(derived)
    with pytest.raises(NeedsWholeError):
        torch.zeros(derived.shape).add_(derived)
    for read in (lambda x: x.flatten()[0].item(), torch.Tensor.numpy, torch.Tensor.tolist):
        with pytest.raises(NeedsWholeError):
            read(derived.detach())


def saved(tensor):
    torch.save({'weight': tensor}, io.BytesIO())


TELL = {
    'equal': lambda x: torch.equal(x, torch.zeros(SHAPE)),
    'close': lambda x: torch.allclose(x, torch.zeros(SHAPE)),
    'comparison': lambda x: bool((x > 0).any()), 'contains': lambda x: 3.0 in x,
    'where': lambda x: len(x.nonzero()), 'chosen': lambda x: torch.ones(SHAPE)[x > 0].shape,
    'unique': lambda x: x.unique().shape, 'saved': saved,
    'pickled': lambda x: pickle.dumps(nn.Parameter(x)), 'passed on': torch.from_dlpack,
    'listed': lambda x: torch.tensor([x.mean(), x.std()]),
    'storage': lambda x: x.untyped_storage().clone(),
    'deep copy of a buffer': copy.deepcopy,
}


@pytest.mark.parametrize('how', TELL)
def test_nothing_tells_its_values(how, one):
    with pytest.raises(NeedsWholeError):
        TELL[how](one[1])


@pytest.mark.parametrize('how', [
    lambda x: x.transpose_(0, 1), lambda x: x.unsqueeze_(0), lambda x: x.resize_(3, 3),
    lambda x: x.set_(torch.ones(3)), lambda x: torch.mul(torch.ones(SHAPE), 2, out=x),
    lambda x: torch._foreach_mul_([x], 2)])
def test_what_would_change_more_than_its_values_is_refused(how, one):
    with pytest.raises(NeedsWholeError):
        how(one[1])


def test_shapes_alone_make_real_tensors(one):
    mode, tensor = one
    for made in (torch.zeros_like(tensor), torch.ones_like(tensor[0]), tensor.new_full((3,), 2.0),
                 torch.empty_like(tensor)):
        assert mode.is_there(made)
    last = tensor.to(memory_format=torch.channels_last)
    assert torch.zeros_like(last).stride() == torch.empty(SHAPE).to(
        memory_format=torch.channels_last).stride()


def test_a_view_has_a_layout_of_its_own(one):
    mode, tensor = one
    assert mode.layout_of(tensor.flatten(1)) == Layout.of(torch.empty(SHAPE).flatten(1))


def test_copies_have_the_mean_that_tells_of_a_write(one):
    before = one[1].double().mean()
    assert not bool(before.ne(one[1].double().mean()))
    one[1].normal_()
    assert before != one[1].double().mean()


@pytest.mark.parametrize('how', [
    torch.poisson, torch.bernoulli, lambda x: torch.multinomial(x[0, 0], 1)])
def test_numbers_whose_count_may_depend_on_values_are_not_drawn(how, one):
    with pytest.raises(NeedsWholeError):
        how(one[1])


def test_a_part_is_not_drawn_by_itself(one):
    # The order of the numbers would depend on how the whole lies in memory.
    with pytest.raises(NeedsWholeError):
        one[1][1:3].normal_()


def test_after_the_mode_a_write_is_an_error_of_torch(one):
    mode, tensor = one
    mode.leave()
    with pytest.raises(RuntimeError, match='single memory location'):
        tensor.add_(1)
    mode.__enter__()


class Initialised(BaseModule):
    def __init__(self):
        super().__init__(init_cfg={'type': 'Kaiming', 'layer': 'Conv2d'})
        self.conv = nn.Conv2d(4, 6, 3)
        self.other = nn.Linear(20, 30)


class Lines(logging.Handler):
    def __init__(self):
        super().__init__()
        self.seen = []

    def emit(self, record):
        self.seen.append(record.getMessage())


def test_mmengine_sees_what_was_initialised(monkeypatch):
    said = []
    # Whatever runs before this test have left: levels, and a file, which mmengine prefers.
    logger = MMLogger.get_current_instance()
    monkeypatch.setattr(logging.root.manager, 'disable', logging.NOTSET)
    monkeypatch.setattr(logger, 'level', logging.INFO)
    monkeypatch.setattr(logger, '_cache', {})
    for mode in (nullcontext(), HollowTensors(Order((False,) * 4))):
        lines = Lines()
        monkeypatch.setattr(logger, 'handlers', [lines])
        with mode:
            Initialised().init_weights()
        said.append([line for line in lines.seen if 'torch.Size' in line])
    assert said[0] == said[1]
    assert ['KaimingInit' in line for line in said[0]] == [True, True, False, False]


def test_copies_of_a_block_know_whose_they_are():
    # As auxiliary networks are made: a copy of a block that another stage may own.
    def build():
        block = nn.Linear(20, 30)
        twin = copy.deepcopy(block)
        twin.reset_parameters()
        return nn.ModuleList([block, twin])

    torch.manual_seed(0)
    whole = build()
    for keeps in ((True, False), (False, True)):
        torch.manual_seed(0)
        # Weight and bias of each, in their order.
        with HollowTensors(Order([keep for keep in keeps for _ in range(2)])) as mode:
            built = build()
        for keep, one, other in zip(keeps, built, whole, strict=True):
            for found, wanted in zip(one.parameters(), other.parameters(), strict=True):
                assert mode.is_there(found) is keep
                assert not keep or torch.equal(found, wanted)


def test_a_copy_that_is_not_initialised_again_is_not_there():
    with HollowTensors(Order((False, False, True, True))) as mode:
        twin = copy.deepcopy(nn.Linear(20, 30))
        twin.weight.data.mul_(2)
        assert not any(map(mode.is_there, twin.parameters()))
        twin.weight.data.normal_()
        assert mode.is_there(twin.weight)
        assert not mode.is_there(twin.bias)
