"""Recomputed parts: gradients of the plain part, and inputs that autograd knows of."""
import pytest
import torch
from torch import nn

from auglocal_mm.auxiliary import recomputed
from auglocal_mm.lab.measure.memory import SavedActivations
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
