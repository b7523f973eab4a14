"""Recomputed parts: gradients of the plain part, and inputs that autograd knows of."""
from collections import Counter

import pytest
import torch
from small import auglocal, batch, classifier
from torch import nn
from torch.utils._python_dispatch import TorchDispatchMode

from auglocal_mm import AugLocalOptimWrapper
from auglocal_mm.auxiliary import recomputed
from auglocal_mm.lab.measure.live_memory import live_peak
from auglocal_mm.lab.measure.memory import BYTES_PER_MIB, SavedActivations
from auglocal_mm.partition import Tokens

SIZE = 16
BYTES = SIZE * 4


def pyramid(layer, maps):
    """What a neck or a dense head does: one layer on several maps."""
    return tuple(layer(each).exp().exp() for each in maps)


def tokens(layer, x):
    return layer(x.values).exp().exp()


@pytest.mark.parametrize(('run', 'make', 'count'), [
    (lambda layer, x: layer(x).exp().exp(), lambda values: values[0], 1),
    (pyramid, tuple, 3), (pyramid, list, 3),
    (tokens, lambda values: Tokens(values[0], (2, 2), 0), 1)],
    ids=['tensor', 'tuple', 'list', 'tokens'])
@pytest.mark.parametrize('history', [True, False])
def test_inputs_alone_are_saved_wherever_they_are(run, make, count, history):
    layer = nn.Linear(SIZE, SIZE)
    values = [torch.rand(1, SIZE, requires_grad=history) for _ in range(3)]

    def step(again):
        layer.zero_grad()
        for value in values:
            value.grad = None
        x = make([value * 1 for value in values])
        counter = SavedActivations(layer.parameters())
        with counter:
            results = (recomputed(lambda each: run(layer, each), (x,), modules=lambda: [layer])
                       if again else run(layer, x))
        saved = counter.live_bytes
        sum(each.sum() for each in results).backward()
        assert counter.live_bytes == 0
        return saved, [layer.weight.grad.clone(), layer.bias.grad.clone(),
                       *(value.grad for value in values if value.grad is not None)]

    (plain, expected), (saved, ours) = step(again=False), step(again=True)
    # The plain part saves its input and the results of both functions.
    assert (plain, saved) == (3 * count * BYTES, count * BYTES)
    assert len(ours) == len(expected) == 2 + history * count
    assert all(torch.equal(*pair) for pair in zip(ours, expected, strict=True))


BACKBONE = {'type': 'auglocal_mm.ResNetCIFAR', 'depth': 20, 'stem_channels': 8, 'base_channels': 8}
HEAD = {'type': 'LinearClsHead', 'num_classes': 4, 'in_channels': 32}


def resnet(depth, **settings):
    return classifier(auglocal(depth), backbone=BACKBONE, head=HEAD, **settings).train()


def optim_wrapper(model):
    return AugLocalOptimWrapper(torch.optim.SGD(model.parameters(), lr=0.1), step_per_module=True)


# The images are 3/8 of a map. With depth 2, what is alive at the end of the block's second
# convolution are the module's input and output, this convolution's input, the gradients of its
# input and output, and the gradient that waits for the shortcut.
@pytest.mark.parametrize(('depth', 'maps'), [(2, 6), (3, 6)])
def test_a_step_makes_no_more_than_a_backward_pass_of_one_convolution_has_to(depth, maps):
    model, data = resnet(depth, recompute=True), batch(48)
    wrapper = optim_wrapper(model)
    peak = live_peak(lambda: model.train_step(dict(data), wrapper), model=model,
                     batch=data['inputs'])
    one_map = 48 * 8 * 16 * 16 * 4 / BYTES_PER_MIB
    assert peak.made_mb / one_map < maps + 3 / 8 + 0.1


class Runs(TorchDispatchMode):
    """Counts how often each weight is convolved with, in first and second runs."""

    def __init__(self):
        super().__init__()
        self.of = Counter()

    def __torch_dispatch__(self, function, types, arguments=(), settings=None):
        if function is torch.ops.aten.convolution.default:
            self.of[arguments[1].data_ptr()] += 1
        return function(*arguments, **settings or {})


def test_how_often_each_convolution_runs():
    model, runs = resnet(3, recompute=True), Runs()
    wrapper = optim_wrapper(model)
    with runs:
        model.train_step(batch(4), wrapper)
    seen = {name: runs.of[weight.data_ptr()] for name, weight in model.named_parameters()
            if weight.dim() == 4}
    # While a unit that is its whole module runs a second time, or a block that another follows,
    # its outputs are dropped again. The last module has 3 units.
    assert model.plan.spans[-1].stop - model.plan.spans[-1].start == 3
    twice = ('.layers.1.', 'backbone.layer3.')
    assert seen == {name: 2 if any(part in name for part in twice) else 3 for name in seen}
    assert set(seen.values()) == {2, 3}
