"""Two gloo ranks train as one process with the double batch does."""
import copy
import os
import random
from itertools import product
from types import SimpleNamespace

import numpy as np
import pytest
import torch
import torch.distributed as dist
from mmengine.model import MMDistributedDataParallel, is_model_wrapper
from mmengine.optim import OptimWrapper
from ranks import run_ranks
from small import auglocal, batch, classifier, in_float64

from auglocal_mm import AugLocalOptimWrapper, ChannelsLastHook, LocalDistributedDataParallel
from auglocal_mm.engine import seed_worker
from auglocal_mm.execution import Listener, Order

SIZE, STEPS = 4, 4


def data(step):
    return batch(2 * SIZE, seed=step, dtype=torch.float64)


def half(whole, rank):
    return {key: value[rank * SIZE:(rank + 1) * SIZE] for key, value in whole.items()}


def build(seed=0):
    # Normalisation frozen: its statistics would differ between a batch and its halves.
    return in_float64(classifier(auglocal(3), seed=seed)).eval()


def train(model, wrapper_type, counts, batches):
    wrapper = wrapper_type(torch.optim.SGD(model.parameters(), lr=0.5, momentum=0.9),
                           accumulative_counts=counts)
    for one in batches:
        model.train_step(one, wrapper)
    bare = getattr(model, 'module', model)
    return {key: value.clone() for key, value in bare.state_dict().items()}


def local_rank(rank, counts):
    # Ranks start from different weights; rank 0's must win.
    model = LocalDistributedDataParallel(build(seed=rank))
    return train(model, AugLocalOptimWrapper, counts,
                 [half(data(step), rank) for step in range(STEPS)])


def upstream_rank(rank):
    model = MMDistributedDataParallel(build(), broadcast_buffers=False)
    return train(model, OptimWrapper, 1, [half(data(step), rank) for step in range(STEPS)])


@pytest.mark.parametrize('counts', [1, 2])
def test_two_ranks_equal_one_process_with_the_double_batch(counts):
    alone = train(build(), AugLocalOptimWrapper, counts, [data(step) for step in range(STEPS)])
    first, second = run_ranks(local_rank, counts)
    start = build().state_dict()
    assert not torch.equal(alone['backbone.conv1.weight'], start['backbone.conv1.weight'])
    for key in alone:
        assert torch.equal(first[key], second[key]), key
        torch.testing.assert_close(first[key], alone[key], rtol=1e-9, atol=1e-12, msg=key)


def test_upstreams_data_parallel_trains_the_same_weights():
    alone = train(build(), AugLocalOptimWrapper, 1, [data(step) for step in range(STEPS)])
    for rank in run_ranks(upstream_rank):
        for key in alone:
            torch.testing.assert_close(rank[key], alone[key], rtol=1e-9, atol=1e-12, msg=key)


def order_rank(rank):
    """What happens when: all-reduces start between backward passes, and end before the step."""
    model = LocalDistributedDataParallel(build())
    events = []
    wrapper = AugLocalOptimWrapper(torch.optim.SGD(model.parameters(), 0.1))
    backward, all_reduce, step = wrapper.backward_local, dist.all_reduce, wrapper.step
    wrapper.backward_local = lambda loss: (events.append('backward'), backward(loss))
    wrapper.step = lambda: (events.append('step'), step())
    dist.all_reduce = lambda *a, **k: (events.append('reduce'), all_reduce(*a, **k))[1]
    try:
        model.train_step(half(data(0), rank), wrapper)
    finally:
        dist.all_reduce = all_reduce
    return events


def test_each_modules_all_reduce_starts_right_after_its_backward_pass():
    for events in run_ranks(order_rank):
        modules = build().plan.modules
        assert events == ['backward', 'reduce'] * modules + ['step']


class Sometimes(torch.nn.Module):
    """A factor of the features that is at work in the batches of one rank only."""

    def __init__(self):
        super().__init__()
        self.factor = torch.nn.Parameter(torch.ones(1, dtype=torch.float64))
        self.never = torch.nn.Parameter(torch.ones(1, dtype=torch.float64))
        self.works = True

    def forward(self, features):
        return tuple(each * self.factor for each in features) if self.works else features


def sometimes_ranks(rank, cases):
    """All cases, one after another: starting ranks takes longer than a step."""
    return [sometimes(rank, works) for works in cases]


def sometimes(rank, works):
    model = build()
    model.neck = torch.nn.Sequential(model.neck, Sometimes())
    model.neck[1].works = works[rank]
    wrapped = LocalDistributedDataParallel(model)
    wrapper = AugLocalOptimWrapper(torch.optim.SGD(model.parameters(), 0.1, weight_decay=0.5))
    grads = []
    wrapper.zero_grad = lambda: grads.append([p.grad for p in model.neck[1].parameters()])
    wrapped.train_step(half(data(0), rank), wrapper)
    return grads[0], {key: value.clone() for key, value in model.state_dict().items()}


def test_a_parameter_without_gradient_on_some_ranks_counts_as_zero_there():
    factors = []
    cases = list(product((True, False), repeat=2))
    for (first, weights), (second, others) in zip(*run_ranks(sometimes_ranks, cases), strict=True):
        assert first[1] is second[1] is None, 'without a gradient on any rank it has none'
        assert weights['neck.1.never'].item() == 1.0, 'and its optimizer leaves it alone'
        for key in weights:
            assert torch.equal(weights[key], others[key]), key
        factors.append(first[0])
        assert first[0] is second[0] is None or torch.equal(first[0], second[0])
    both, only_first, only_second, none = factors
    torch.testing.assert_close(only_first + only_second, both)
    assert none is None and only_first and only_second


def doors_rank(rank):
    said = []
    model = build()
    wrapped = LocalDistributedDataParallel(model)
    plain = OptimWrapper(torch.optim.SGD(model.parameters(), 0.1))
    for attempt in (
            lambda: wrapped.train_step(half(data(0), rank), plain),
            lambda: wrapped(**half(data(0), rank), mode='loss'),
            lambda: wrapped(*half(data(0), rank).values(), 'loss'),
            lambda: LocalDistributedDataParallel(torch.nn.Linear(1, 1))):
        try:
            attempt()
            said.append('nothing')
        except (TypeError, RuntimeError) as error:
            said.append(str(error))
    said.append(is_model_wrapper(wrapped))
    return said


def test_what_would_train_wrongly_stops_with_a_readable_error():
    for plain, forward, positional, other, known in run_ranks(doors_rank):
        assert 'needs optim_wrapper.type=' in plain and 'got OptimWrapper' in plain
        assert 'leave gradients unsynchronised' in forward and forward == positional
        assert 'wraps a LocalImageClassifier or a LocalDetector, got Linear' in other
        assert known


def workers_rank(rank):
    os.environ['RANK'] = str(rank)
    torch.manual_seed(7)
    loader = torch.utils.data.DataLoader(Numbers(), num_workers=2, worker_init_fn=seed_worker)
    return [[tuple(item.flatten().tolist()) for item in loader] for _ in range(2)]


class Numbers(torch.utils.data.Dataset):
    """Each item is what NumPy's, torch's and Python's generators say next."""

    def __len__(self):
        return 4

    def __getitem__(self, index):
        return torch.tensor([np.random.rand(), torch.rand(1).item(), random.random()])


def test_workers_differ_by_rank_worker_and_epoch_and_repeat_in_a_second_run():
    first, second = run_ranks(workers_rank), run_ranks(workers_rank)
    assert first == second
    drawn = [number for rank in first for epoch in rank for item in epoch for number in item]
    assert len(set(drawn)) == len(drawn) == 2 * 2 * 4 * 3


def test_without_a_process_group_it_is_refused():
    with pytest.raises(RuntimeError, match='needs a process group'):
        LocalDistributedDataParallel(build())


def channels_last(model):
    ChannelsLastHook().before_run(SimpleNamespace(model=model))
    return model


def channels_last_rank(rank):
    model = channels_last(LocalDistributedDataParallel(build(seed=rank)))
    assert model.module.backbone.layer1[0].conv1.weight.is_contiguous(
        memory_format=torch.channels_last)
    return train(model, AugLocalOptimWrapper, 1, [half(data(step), rank) for step in range(STEPS)])


def test_ranks_with_channels_last_weights_train_the_same():
    alone = train(build(), AugLocalOptimWrapper, 1, [data(step) for step in range(STEPS)])
    for rank in run_ranks(channels_last_rank):
        for key in alone:
            torch.testing.assert_close(rank[key], alone[key], rtol=1e-9, atol=1e-12, msg=key)


def refusing_rank(rank):
    with pytest.raises(TypeError, match='leave the hook out'):
        channels_last(MMDistributedDataParallel(build()))
    return True


def test_upstreams_data_parallel_refuses_channels_last():
    assert all(run_ranks(refusing_rank))


class Fails(Listener):
    order = Order.UPDATE

    def after_module(self, event):
        if event.module == 1:
            raise KeyError('on every rank')


def interrupted_rank(rank):
    """A step that fails on every rank while messages are under way, then a good one."""
    model = LocalDistributedDataParallel(build())
    wrapper = AugLocalOptimWrapper(torch.optim.SGD(model.parameters(), lr=0.5))
    with model.module.listeners.also(Fails()), pytest.raises(KeyError):
        model.train_step(half(data(7), rank), wrapper)
    wrapper.zero_grad()
    model.train_step(half(data(0), rank), wrapper)
    return {key: value.clone() for key, value in model.module.state_dict().items()}


def test_a_step_that_failed_leaves_nothing_for_the_next_one():
    wrapper_type = AugLocalOptimWrapper
    alone = train(build(), wrapper_type, 1, [data(0)])
    for rank in run_ranks(interrupted_rank):
        for key in alone:
            torch.testing.assert_close(rank[key], alone[key], rtol=1e-9, atol=1e-12, msg=key)


def copied_rank(rank):
    wrapped = copy.deepcopy(LocalDistributedDataParallel(build()))
    state = train(wrapped, AugLocalOptimWrapper, 1, [half(data(0), rank)])
    dist.destroy_process_group()
    # Whoever goes on with the bare model averages nothing, and needs no process group.
    train(wrapped.module, AugLocalOptimWrapper, 1, [data(1)])
    dist.init_process_group('gloo', store=dist.HashStore(), rank=0, world_size=1)
    return state


def test_a_copied_wrapper_averages_and_a_bare_model_does_not():
    alone = train(build(), AugLocalOptimWrapper, 1, [data(0)])
    for rank in run_ranks(copied_rank):
        for key in alone:
            torch.testing.assert_close(rank[key], alone[key], rtol=1e-9, atol=1e-12, msg=key)
