"""Live memory against counts by hand."""
import pytest
import torch
from torch import nn
from torch.utils.checkpoint import checkpoint

from auglocal_mm.lab.measure.live_memory import LiveMemory, live_peak_mb
from auglocal_mm.lab.measure.memory import BYTES_PER_MIB, saved_activations_mb

N, FLOAT = 1000, 4


def peak(step):
    """The peak of a step, in tensors of N floats."""
    return live_peak_mb(step) * BYTES_PER_MIB / (N * FLOAT)


@pytest.fixture
def x():
    return torch.rand(N)


def test_a_tensor_counts_until_it_is_gone(x):
    def step():
        first = x * 2
        second = first + 1
        del first
        third = second * 3
        assert counter.live_bytes == 2 * N * FLOAT
        return second + third
    with LiveMemory() as counter:
        kept = step()
    assert (counter.peak_bytes, counter.live_bytes) == (3 * N * FLOAT, N * FLOAT)
    del kept
    assert counter.live_bytes == 0


def test_what_is_freed_and_made_again_counts_once(x):
    def step():
        for _ in range(5):
            (x + 1).sum()
    assert peak(step) == pytest.approx(1 + 1 / N)  # and the sum


@pytest.mark.parametrize('change', [
    lambda x: x.view(10, -1)[2:].t(), lambda x: x.add_(1).relu_(), lambda x: x.detach(),
    lambda x: torch.add(x, 1, out=x)], ids=['views', 'in place', 'detach', 'out'])
def test_what_makes_no_storage_counts_nothing(x, change):
    assert peak(lambda: change(x)) == 0
    assert peak(lambda: change(x * 2)) == 1


def test_what_existed_before_does_not_count(x):
    weights = nn.Parameter(torch.rand(N))
    weights.grad = torch.zeros(N)
    # The product goes once it is summed; then there is the gradient, and two single numbers.
    expected = 1 + 2 / N
    assert peak(lambda: (x * weights).sum().backward()) == pytest.approx(expected)
    weights.grad = None
    assert peak(lambda: (x * weights).sum().backward()) == pytest.approx(expected)


def test_what_recomputation_makes_counts_as_well(x):
    x.requires_grad_()

    def block(value):
        return value.exp().exp().exp().exp()

    def step(run):
        run(run(x)).sum().backward()
        x.grad = None

    def kept(run):
        return saved_activations_mb(lambda: step(run)) * BYTES_PER_MIB / (N * FLOAT)

    def recompute(value):
        return checkpoint(block, value, use_reentrant=False)

    # Each exp keeps its output: 8 of them, then a gradient and the one made of it.
    assert kept(block) == 8 and peak(lambda: step(block)) == pytest.approx(9, abs=0.1)
    # The inputs of both blocks. While a block is recomputed, its 4 outputs count in live memory.
    assert kept(recompute) == 2
    assert 5 < peak(lambda: step(recompute)) < 8
