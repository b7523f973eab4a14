"""Two gloo ranks agree on what is trained and on which updates happen.

The slow ones: pytest -n 0 tests/engine/test_distributed_trust.py -m slow
"""
import pytest
import torch
import torch.distributed as dist
from mmengine.model import MMDistributedDataParallel
from mmengine.optim import OptimWrapper
from ranks import run_ranks
from small import auglocal, batch, classifier, in_float64

from auglocal_mm import AugLocalOptimWrapper, LocalDistributedDataParallel
from auglocal_mm.validation.errors import UserError

SIZE = 4
RESNET18 = {'type': 'ResNet', 'depth': 18, 'stem_channels': 4, 'base_channels': 2,
            'norm_eval': True}
#: What is trainable in each step: hooks freeze and unfreeze, also while gradients accumulate.
SCHEDULE = (
    lambda name: 'layer2' in name or 'head' in name,
    lambda name: True,
    lambda name: name.startswith('head.'),
    lambda name: name.startswith('backbone.layer1'),
    lambda name: True,
    lambda name: not name.startswith('auxiliary.'))


def data(step):
    return batch(2 * SIZE, seed=step, dtype=torch.float64)


def half(whole, rank):
    return {key: value[rank * SIZE:(rank + 1) * SIZE] for key, value in whole.items()}


def build(seed=0):
    return in_float64(classifier(auglocal(3), seed=seed, backbone={
        **RESNET18, 'frozen_stages': 1})).eval()


def train(model, counts, rank=None):
    wrapper = AugLocalOptimWrapper(torch.optim.SGD(model.parameters(), lr=0.5, momentum=0.9),
                                   accumulative_counts=counts)
    bare = getattr(model, 'module', model)
    for step, chosen in enumerate(SCHEDULE):
        for name, parameter in bare.named_parameters():
            parameter.requires_grad_(chosen(name))
        model.train_step(data(step) if rank is None else half(data(step), rank), wrapper)
    return {key: value.clone() for key, value in bare.state_dict().items()}


def schedule_rank(rank, counts):
    return train(LocalDistributedDataParallel(build(seed=rank)), counts, rank)


@pytest.mark.parametrize('counts', [pytest.param(1, marks=pytest.mark.slow), 2])
def test_ranks_follow_what_is_trainable_as_one_process_does(counts):
    alone, start = train(build(), counts), build().state_dict()
    first, second = run_ranks(schedule_rank, counts)
    assert not torch.equal(alone['backbone.layer1.0.conv1.weight'],
                           start['backbone.layer1.0.conv1.weight'])
    for key in alone:
        assert torch.equal(first[key], second[key]), key
        torch.testing.assert_close(first[key], alone[key], rtol=1e-9, atol=1e-12, msg=key)


def spoiled(step, rank, bad_step):
    """Data with an infinite pixel in one step, on rank 1 alone."""
    part = half(data(step), rank)
    if rank == 1 and step == bad_step:
        part['inputs'][0, 0, 0, 0] = float('inf')
    assert len(part['inputs']) == SIZE
    return part


def nonfinite_rank(rank, wrap, kind, settings, bad_step):
    torch.manual_seed(0)
    model = in_float64(classifier(auglocal(3), seed=0)).train()
    wrapped = wrap(model)
    wrapper = kind(torch.optim.SGD(model.parameters(), lr=0.1), **settings)
    said, before = None, None
    for step in range(4):
        before = {name: p.clone() for name, p in model.named_parameters()}
        try:
            wrapped.train_step(spoiled(step, rank, bad_step), wrapper)
        except UserError as error:
            said = str(error)
            break
    same = all(torch.equal(p, before[name]) for name, p in model.named_parameters())
    dist.barrier()  # no rank waits for another one
    return step, said, same, getattr(wrapper, 'skipped_updates', None), {
        name: p.detach().clone() for name, p in model.named_parameters()}


def upstream(model):
    return MMDistributedDataParallel(model, broadcast_buffers=False)


DRIVERS = {'ours': (LocalDistributedDataParallel, AugLocalOptimWrapper),
           'joint': (upstream, OptimWrapper), 'both': (upstream, AugLocalOptimWrapper)}


@pytest.mark.parametrize(('driver', 'counts'), [
    ('ours', 2), ('joint', 2), pytest.param('ours', 1, marks=pytest.mark.slow),
    pytest.param('both', 1, marks=pytest.mark.slow)])
def test_all_ranks_stop_at_the_same_update_with_the_weights_before_it(driver, counts):
    bad = 2
    results = run_ranks(nonfinite_rank, *DRIVERS[driver],
                        {'accumulative_counts': counts}, bad)
    at = bad if counts == 1 or driver == 'joint' else 3
    for step, said, same, _, _ in results:
        assert step == at and same and 'no weight was changed' in said
    assert 'on another rank' in results[0][1]
    assert 'local module stem is nan' in results[1][1]


@pytest.mark.parametrize('driver', ['ours', 'both'])
def test_all_ranks_skip_the_same_update(driver):
    first, second = run_ranks(nonfinite_rank, *DRIVERS[driver], {'nonfinite': 'skip'}, 2)
    for step, said, _, skipped, weights in (first, second):
        assert (step, said, skipped) == (3, None, 1)
        assert all(torch.isfinite(value).all() for value in weights.values())
    assert all(torch.equal(value, second[4][name]) for name, value in first[4].items())


def unfreezing_rank(rank, before_the_first_step):
    model = build()
    wrapped = MMDistributedDataParallel(model, broadcast_buffers=False)
    wrapper = OptimWrapper(torch.optim.SGD(model.parameters(), lr=0.1))
    if not before_the_first_step:
        wrapped.train_step(half(data(0), rank), wrapper)
    model.requires_grad_(True)
    try:
        wrapped.train_step(half(data(1), rank), wrapper)
    except UserError as error:
        return str(error)


@pytest.mark.parametrize('before_the_first_step', [
    False, pytest.param(True, marks=pytest.mark.slow)])
def test_torchs_wrapper_refuses_what_it_would_not_average(before_the_first_step):
    for said in run_ranks(unfreezing_rank, before_the_first_step):
        assert "became trainable, but torch's DistributedDataParallel does not have it" in said
        assert 'backbone.conv1.weight' in said and 'LocalDistributedDataParallel' in said
