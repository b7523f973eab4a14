"""Rivals train as back-propagation does, and save what they are for."""
import pytest
import torch
from small import auglocal, batch, classifier, in_float64
from torch.utils._python_dispatch import TorchDispatchMode

from auglocal_mm import AugLocalOptimWrapper
from auglocal_mm.lab.measure.benchmark.rivals import MICRO_BATCHES, RIVALS
from auglocal_mm.lab.measure.live_memory import live_peak

BACKPROP = {'type': 'auglocal_mm.Backprop'}
#: Norms that use running statistics, so that micro-batches see the same as the batch.
EVEN = {'type': 'auglocal_mm.ResNetCIFAR', 'depth': 20, 'stem_channels': 4, 'base_channels': 4,
        'norm_eval': True}
BATCHES = [batch(8, seed=seed, dtype=torch.float64) for seed in (1, 2)]


def rival(name, *, backbone=None, double=True):
    """A model of seed 0 and its step, as `name` trains it; two groups, one without decay."""
    model = classifier(BACKPROP, backbone=backbone)
    model = (in_float64(model) if double else model).train()
    norms = [each for key, each in model.named_parameters() if 'bn' in key]
    others = [each for key, each in model.named_parameters() if 'bn' not in key]
    optimizer = torch.optim.SGD(
        [{'params': norms, 'weight_decay': 0.0}, {'params': others, 'lr': 0.05}],
        lr=0.1, momentum=0.9, weight_decay=1e-2, nesterov=True)
    counts = MICRO_BATCHES if name == 'bp-accumulate' else 1
    wrapper = AugLocalOptimWrapper(optimizer, accumulative_counts=counts)
    return model, RIVALS[name](model, wrapper)


def trained(name, **settings):
    model, step = rival(name, **settings)
    for data in BATCHES:
        step(dict(data))
    return dict(model.named_parameters())


@pytest.mark.parametrize('name', ['bp-step', 'bp-selective'])
def test_weights_are_those_of_back_propagation(name):
    plain, found = trained(None), trained(name)
    assert all(torch.equal(plain[key], found[key]) for key in plain)


def test_accumulated_weights_are_those_of_the_whole_batch():
    plain, found = trained(None, backbone=EVEN), trained('bp-accumulate', backbone=EVEN)
    assert all(torch.allclose(plain[key], found[key], rtol=1e-9, atol=1e-12) for key in plain)
    start = dict(rival(None, backbone=EVEN)[0].named_parameters())
    assert not torch.allclose(plain['head.fc.weight'], start['head.fc.weight'])


def test_a_batch_that_cannot_be_split():
    with pytest.raises(ValueError, match='a multiple of 4 images to be accumulated, got 6'):
        rival('bp-accumulate')[1](batch(6, dtype=torch.float64))


def peak(name):
    """The peak of a step of small images, whose gradients weigh more than their activations."""
    model, step = rival(name, double=False)
    data = batch(4, side=4)
    step(dict(data))
    found = live_peak(lambda: step(dict(data)), model=model, optimizers=step.optimizers,
                      batch=data['inputs'])
    return model, found


def test_the_step_in_backward_never_has_two_gradients():
    (model, plain), (_, fused) = peak(None), peak('bp-step')
    size = sum(each.numel() for each in model.parameters()) * 4 / 2**20
    assert plain.parts_mb['gradients'] == pytest.approx(size)
    assert fused.parts_mb['gradients'] == 0  # the one that there is, is freed before it counts
    assert fused.parts_mb['optimizer state'] == plain.parts_mb['optimizer state'] == size
    assert fused.made_mb < plain.made_mb < fused.made_mb + size


class Calls(TorchDispatchMode):
    """Counts operations by name."""

    def __init__(self):
        super().__init__()
        self.seen = {}

    def __torch_dispatch__(self, function, types, arguments=(), settings=None):
        name = function.overloadpacket.__name__
        self.seen[name] = self.seen.get(name, 0) + 1
        return function(*arguments, **(settings or {}))


def test_selective_checkpointing_runs_norms_twice_and_convolutions_once():
    def calls(name):
        _, step = rival(name)
        with Calls() as counted:
            step(dict(BATCHES[0]))
        return counted.seen
    plain, found = calls(None), calls('bp-selective')
    assert found['convolution'] == plain['convolution'] == 21
    # All but the stem's.
    assert found['native_batch_norm'] == 2 * plain['native_batch_norm'] - 1 == 41
    assert found['relu_'] == 2 * plain['relu_'] - 1


def test_selective_checkpointing_keeps_less():
    def made(name):
        model, step = rival(name, double=False)
        data = batch(16, side=16)
        step(dict(data))
        return live_peak(lambda: step(dict(data)), model=model).made_mb
    # Of a block's four maps, one is left out: what the first norm and activation make.
    assert 0.7 < made('bp-selective') / made(None) < 0.85


def test_every_model_has_its_own_step():
    model = classifier(auglocal(2)).train()
    step = RIVALS[None](model, AugLocalOptimWrapper(torch.optim.SGD(model.parameters(), lr=0.1)))
    step(batch(4))
    assert [type(each) for each in step.optimizers] == [torch.optim.SGD]
