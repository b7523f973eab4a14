"""Live memory against counts by hand, and against torch's own tracker."""
import pytest
import torch
from mmengine.optim import OptimWrapper
from small import auglocal, batch, classifier
from torch import nn
from torch.distributed._tools.mem_tracker import MemTracker
from torch.utils.checkpoint import checkpoint

from auglocal_mm import AugLocalOptimWrapper
from auglocal_mm.lab.measure.live_memory import PARTS, LiveMemory, live_peak
from auglocal_mm.lab.measure.live_series import MemoryLaw, live_series
from auglocal_mm.lab.measure.memory import BYTES_PER_MIB, saved_activations_mb

N, FLOAT = 1000, 4


def peak(step):
    """The peak of a step, in tensors of N floats."""
    with LiveMemory() as counter:
        step()
    return counter.peak_bytes / (N * FLOAT)


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


class Scale(nn.Module):
    """Scales N values; `depth` exponentials keep as many results for the backward pass."""

    def __init__(self, depth):
        super().__init__()
        self.depth = depth
        self.weights = nn.Parameter(torch.full((N,), 1e-3))
        self.register_buffer('shift', torch.zeros(N))

    def forward(self, value):
        value = value * self.weights
        for _ in range(self.depth):
            value = value.exp()
        return value.sum() + self.shift.sum()


@pytest.mark.parametrize(('depth', 'activations', 'gradients'), [
    # The update: the gradient, and the one that weight decay makes of it.
    (0, 0, 1),
    # The backward pass of the last exponential: all results, and the gradient of one.
    (3, 3, 0)])
def test_what_bytes_are_held_for(x, depth, activations, gradients):
    model = Scale(depth)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1, momentum=0.9, weight_decay=0.1)

    def step():
        model(x).backward()
        optimizer.step()
        optimizer.zero_grad()
    step()
    found = live_peak(step, model=model, optimizers=[optimizer], batch=[x])
    parts = {part: round(size * BYTES_PER_MIB / (N * FLOAT), 1)
             for part, size in found.parts_mb.items()}
    # The rest is the batch and what is made for a moment.
    assert parts == {'parameters': 1, 'buffers': 1, 'optimizer state': 1, 'gradients': gradients,
                     'activations': activations, 'rest': 2}
    assert tuple(found.parts_mb) == PARTS
    assert found.made_mb * BYTES_PER_MIB / (N * FLOAT) == pytest.approx(
        activations + gradients + 1, abs=0.02)


class Total(MemTracker):
    """torch's tracker without its look at each module, which refuses models trained in parts."""

    def _ignore(self, *_):
        pass

    _pre_fw_hook = _post_fw_hook = _pre_bw_hook = _post_bw_hook = _ignore


BACKPROP = {'type': 'auglocal_mm.Backprop'}
CHECKPOINTS = {'type': 'auglocal_mm.ResNetCIFAR', 'depth': 20, 'stem_channels': 4,
               'base_channels': 4, 'with_cp': True}


@pytest.mark.parametrize(('local', 'settings', 'optim', 'tracker'), [
    (None, {}, {}, MemTracker), (None, {'backbone': CHECKPOINTS}, {}, MemTracker),
    (BACKPROP, {}, {}, Total), (auglocal(2), {}, {}, Total),
    (auglocal(2), {'recompute': True}, {'step_per_module': True}, Total),
], ids=['bp', 'checkpoint', 'bp here', 'auglocal', 'auglocal, both'])
@pytest.mark.filterwarnings('ignore:torch.utils.checkpoint')
def test_the_total_is_that_of_torchs_own_tracker(local, settings, optim, tracker):
    model = classifier(local, **settings).train()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1, momentum=0.9, weight_decay=1e-4)
    wrapper = (OptimWrapper if local is None else AugLocalOptimWrapper)(optimizer, **optim)
    data = batch(8)

    def step():
        model.train_step(dict(data), wrapper)
    step()
    mine = live_peak(step, model=model, optimizers=[optimizer], batch=data['inputs'])
    theirs = tracker()
    theirs.track_external(model, optimizer, data['inputs'])
    with theirs:
        step()
    assert round(mine.total_mb * BYTES_PER_MIB) == theirs._peak_mem[torch.device('cpu')]
    size = sum(each.numel() for each in model.parameters()) * FLOAT / BYTES_PER_MIB
    assert mine.parts_mb['parameters'] == mine.parts_mb['optimizer state'] == size
    assert mine.parts_mb['gradients'] < 1.001 * size


@pytest.mark.parametrize(('local', 'optim'), [
    (BACKPROP, {}), (auglocal(2), {'step_per_module': True}),
    ({'type': 'auglocal_mm.PredSim'}, {})], ids=['bp', 'auglocal', 'predsim'])
def test_memory_at_any_batch_follows_from_small_ones(local, optim):
    model = classifier(local).train()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1, momentum=0.9)
    wrapper = AugLocalOptimWrapper(optimizer, **optim)

    def measured(measure, size):
        data = batch(size, side=8)
        return measure(lambda: model.train_step(dict(data), wrapper), model=model,
                       optimizers=[optimizer], batch=data['inputs'])
    measured(live_peak, 16)
    law = MemoryLaw.of([measured(live_series, size) for size in (16, 32, 48)], spacing=16)
    for size in (16, 100):
        expected, found = measured(live_peak, size), law.peak(size)
        # Labels of single images come and go between the moments that are kept.
        assert found.total_mb == pytest.approx(expected.total_mb, rel=1e-3)
        assert found.made_mb == pytest.approx(expected.made_mb, rel=1e-3)
        assert found.parts_mb == pytest.approx(expected.parts_mb, rel=1e-2, abs=1e-2)


def test_a_step_whose_operations_depend_on_the_batch_has_no_law(x):
    model = nn.Linear(1, 1)
    steps = [lambda: [x + 1], lambda: [x + 1, x * 2], lambda: [x * 2, x + 1]]
    series = [live_series(step, model=model) for step in steps]
    for order in ((0, 1, 1), (1, 2, 1)):
        with pytest.raises(ValueError, match='must not depend on the batch, got'):
            MemoryLaw.of([series[which] for which in order], spacing=1)
