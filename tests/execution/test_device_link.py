"""Values pass from device to device whole, and never before they are there.

A CPU stands in for the device here; tests/engine/test_pipeline_devices.py has real ones.
"""
import pytest
import stand_in_device
import torch
import torch.distributed as dist
from ranks import run_ranks

from auglocal_mm.execution.device_link import DeviceLink
from auglocal_mm.execution.messages import INLINE_BYTES

LARGE = torch.arange(INLINE_BYTES, dtype=torch.float32).reshape(4, 2, -1)
VALUES = [
    {'features': LARGE, 'again': LARGE, 'labels': torch.arange(3), 'name': 'x'},
    LARGE.to(memory_format=torch.preserve_format).transpose(0, 1),  # not in order of its sizes
    LARGE[:, :1],                                                   # with gaps
    torch.arange(INLINE_BYTES, dtype=torch.float64).to(torch.bfloat16),
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
    in_link = [what for what, thread in notes if thread == 'link']
    assert in_link[0] == 'set cpu', 'a thread has a current device of its own'
    for _ in VALUES:
        after = in_link.index('side waits for event of training')
        assert 'side is awaited' in in_link[after:], 'what was sent may be freed only then'
        del in_link[after]
    assert received[0][0] == 'set cpu' and received[-1][0] == 'side is awaited'


def history_job(rank, device):
    link = DeviceLink(1 - rank, control=None, device=torch.device('cpu'))
    if rank == 0:
        with pytest.raises(ValueError, match='gradients do not travel'):
            link.send({'loss': LARGE.clone().requires_grad_()}).wait()


def test_what_cannot_be_sent_is_told_to_whoever_waits(device):
    run_ranks(history_job, device)
