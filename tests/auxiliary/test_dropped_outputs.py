"""Outputs of convolutions and linear layers that autograd does not keep."""
from collections import Counter

import pytest
import torch
from torch import nn
from torch.utils._python_dispatch import TorchDispatchMode

from auglocal_mm.auxiliary import recomputed
from auglocal_mm.auxiliary.dropped_outputs import OutputsDropped
from auglocal_mm.lab.measure.memory import SavedActivations

MAP = (2, 4, 6, 6)
BYTES = 4 * 2 * 4 * 6 * 6


class Runs(TorchDispatchMode):
    """Counts operations by name, those of second runs as well."""

    def __init__(self):
        super().__init__()
        self.of = Counter()

    def __torch_dispatch__(self, function, types, arguments=(), settings=None):
        self.of[function.overloadpacket.__name__] += 1
        return function(*arguments, **settings or {})


def conv(**settings):
    return nn.Conv2d(4, 4, 3, padding=1, **settings)


def frozen(part):
    return part.requires_grad_(False)


class Readers(nn.Module):
    """Keeps its input three times."""

    def forward(self, x):
        return x * x + x.sin()


#: What runs; the largest tensors that are kept of it, the input included, and without dropping;
#: how often convolutions or linear layers run a second time.
PARTS = {
    'norm': (lambda: nn.Sequential(conv(), nn.BatchNorm2d(4), nn.ReLU(inplace=True)), 2, 3, 1),
    'two': (lambda: nn.Sequential(conv(), nn.BatchNorm2d(4), nn.ReLU(), conv(),
                                  nn.GroupNorm(2, 4), nn.ReLU()), 3, 5, 2),
    'reflected': (lambda: nn.Sequential(conv(padding_mode='reflect'), nn.BatchNorm2d(4)), 2, 3, 1),
    'linear': (lambda: nn.Sequential(nn.Linear(6, 6), nn.GELU(), nn.Linear(6, 6)), 2, 3, 1),
    'readers': (lambda: nn.Sequential(conv(), Readers()), 1, 2, 1),
    # Nothing keeps what was made, or not as it was made.
    'no norm': (lambda: nn.Sequential(conv(), nn.ReLU(inplace=True), conv(), nn.ReLU()), 3, 3, 0),
    # Its input is not kept for anything else.
    'frozen': (lambda: nn.Sequential(frozen(nn.Linear(6, 6)), nn.GELU()), 1, 1, 0),
}


def train(part, *, drop, nested=False, precision=None):
    """Run a part in both directions; return bytes kept, runs, and all that it has computed."""
    x = torch.rand(MAP, generator=torch.Generator().manual_seed(3)).requires_grad_()
    counter, runs = SavedActivations([*part.parameters(), *part.buffers()]), Runs()

    def run(value):
        if drop:
            with OutputsDropped():
                return part(value)
        return part(value)

    with runs:
        with counter, torch.autocast('cpu', precision or torch.bfloat16,
                                     enabled=precision is not None):
            result = recomputed(run, (x * 1,), modules=lambda: [part]) if nested else run(x * 1)
        saved = counter.live_bytes
        result.float().square().sum().backward()
    assert counter.live_bytes == 0
    kept = [x.grad, *(each.grad for each in part.parameters() if each.grad is not None),
            *part.buffers()]
    return saved, runs.of['convolution'] + runs.of['addmm'], kept


@pytest.mark.parametrize('name', PARTS)
@pytest.mark.parametrize('nested', [False, True])
def test_inputs_are_kept_instead_of_outputs(name, nested):
    make, kept, plainly, again = PARTS[name]

    def measured(**settings):
        torch.manual_seed(0)
        return train(make(), nested=nested, **settings)

    (plain, once, expected), (saved, runs, ours) = measured(drop=False), measured(drop=True)
    # Of what ends in an operator, this one runs in the second run as well: its input, which is
    # to be kept if anybody should read its output, is saved after it.
    assert runs == once + again + (nested and name == 'linear')
    assert all(torch.equal(*pair) for pair in zip(ours, expected, strict=True))
    if nested:
        assert saved == plain == BYTES
    elif name != 'reflected':  # its input is padded
        assert (saved // BYTES, plain // BYTES) == (kept, plainly)
    else:
        assert saved < plain


@pytest.mark.parametrize('precision', [torch.bfloat16, torch.float16], ids=str)
def test_the_precision_is_that_of_the_first_run(precision):
    def measured(drop):
        torch.manual_seed(0)
        return train(PARTS['two'][0](), drop=drop, precision=precision)

    (_, once, expected), (_, runs, ours) = measured(False), measured(True)
    # The first one reads what autocast has made of the input.
    assert runs == once + 1
    assert all(torch.equal(*pair) for pair in zip(ours, expected, strict=True))


def test_graphs_may_be_used_again_and_differentiated():
    torch.manual_seed(0)
    part, x = nn.Sequential(conv(), nn.BatchNorm2d(4), nn.Tanh()), torch.rand(MAP)
    found = []
    for drop in (False, True):
        value = x.clone().requires_grad_()
        if drop:
            with OutputsDropped():
                loss = part(value).square().sum()
        else:
            loss = part(value).square().sum()
        first, = torch.autograd.grad(loss, value, create_graph=True)
        found.append([first.detach(), *torch.autograd.grad(first.square().sum(), value,
                                                           retain_graph=True),
                      *torch.autograd.grad(loss, value)])
    assert all(torch.equal(*pair) for pair in zip(*found, strict=True))


def test_a_change_of_what_is_kept_is_found():
    part, x = nn.Sequential(conv(), nn.BatchNorm2d(4)), torch.rand(MAP)
    with OutputsDropped():
        loss = part(x).sum()
    x.add_(1)
    with pytest.raises(RuntimeError, match='modified by an inplace operation'):
        loss.backward()
