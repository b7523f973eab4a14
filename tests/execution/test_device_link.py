"""Values pass from device to device whole, and never before they are there.

A CPU stands in for the device here; tests/engine/test_pipeline_devices.py has real ones.
"""
import pytest
import stand_in_device
import torch
import torch.distributed as dist
from ranks import run_ranks

from auglocal_mm.engine import rank_group
from auglocal_mm.engine.rank_group import RankGroup
from auglocal_mm.execution import device_link
from auglocal_mm.execution.device_link import DeviceLink
from auglocal_mm.execution.messages import SMALL_BYTES

LARGE = torch.arange(SMALL_BYTES, dtype=torch.float32).reshape(4, 2, -1)
VALUES = [
    {'features': LARGE, 'again': LARGE, 'labels': torch.arange(3), 'name': 'x'},
    LARGE.to(memory_format=torch.preserve_format).transpose(0, 1),  # not in order of its sizes
    LARGE[:, :1],                                                   # with gaps
    torch.arange(SMALL_BYTES, dtype=torch.float64).to(torch.bfloat16),
    None,
]


@pytest.fixture
def device(monkeypatch):
    return stand_in_device.use(monkeypatch)


def link_job(rank, device, direct):
    both = [0, 1]
    link = DeviceLink(1 - rank, control=dist.new_group(both), device=torch.device('cpu'),
                      direct=dist.new_group(both) if direct else None)
    if rank == 0:
        for sent in [link.send(value) for value in VALUES]:
            sent.wait()
        return device.notes
    return [link.receive() for _ in VALUES], device.notes


@pytest.mark.parametrize('direct', [False, True], ids=['through the host', 'direct'])
def test_values_arrive_equal_and_lie_alike(device, direct):
    notes, (values, received) = run_ranks(link_job, device, direct)
    first, *others = values
    assert first['again'] is first['features'] and first['name'] == 'x'
    assert torch.equal(first['labels'], torch.arange(3))
    for wanted, found in zip([LARGE, *VALUES[1:-1]], [first['features'], *others[:-1]],
                             strict=True):
        assert torch.equal(wanted, found) and wanted.dtype == found.dtype
    assert others[0].stride() == VALUES[1].stride(), 'in the same order in memory'
    assert others[-1] is None

    in_main = [what for what, thread in notes if thread == 'MainThread']
    assert in_main == ['training records'] * len(VALUES), 'whoever trains waits for nothing'
    parts = [['32', '65536'], ['65536'], ['32768'], ['32768'], []]  # bytes; small ones together
    wait = [] if direct else ['side is awaited']
    sent = [what for what, thread in notes if thread == 'link']
    # Once the values are there. What is staged is complete before gloo reads it, and all has
    # left before its memory may be used again.
    wanted, got = [], []
    for part in parts:
        wanted += ['set cpu', 'side waits for event of training', 'put 1', 'put header']
        wanted += [each for size in part for each in [*wait, f'put {size}']]
        wanted += ['side is awaited']
        got += ['set cpu', 'get 1', 'get header', *['kept for training'] * len(part)]
        got += [f'get {size}' for size in part] + ['side is awaited']
    assert _without_headers(sent, 'put') == wanted
    assert _without_headers([what for what, _ in received], 'get') == got


def _without_headers(notes, verb):
    """The size of a header, which follows its length, is of no interest."""
    return [f'{verb} header' if before == f'{verb} 1' else note
            for before, note in zip(['', *notes], notes, strict=False)]


@pytest.mark.parametrize(('value', 'word'), [
    (LARGE.clone().requires_grad_(), 'gradients do not travel'),
    (LARGE.as_subclass(type('Named', (torch.Tensor,), {})), 'plain tensor')])
def test_what_cannot_be_sent_is_told_at_once(device, value, word):
    link = DeviceLink(1, control=None, device=torch.device('cpu'))
    with pytest.raises(ValueError, match=word):
        link.send({'loss': value})


def test_a_failure_ends_the_link(device, monkeypatch):
    def fail(values, **options):
        raise RuntimeError(f'lost {values.numel()}')
    monkeypatch.setattr(device_link.dist, 'send', fail)
    link = DeviceLink(1, control=None, device=torch.device('cpu'))
    for sent in [link.send(1), link.send(2)]:
        with pytest.raises(RuntimeError, match='lost 1'):
            sent.wait()


@pytest.mark.parametrize(('backends', 'direct'), [
    ('cuda:nccl', True), ('cpu:gloo,cuda:nccl', True), ('cpu:gloo,cuda:gloo', False)])
def test_memory_of_devices_is_sent_by_backends_that_can(monkeypatch, backends, direct):
    monkeypatch.setattr(rank_group.dist, 'get_backend_config', lambda: backends)
    group = RankGroup(of_host=None, of_device=None, device=torch.device('cuda:0'))
    assert group._is_direct is direct
