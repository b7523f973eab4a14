"""Which processor or GPU each run gets."""
import pytest

from auglocal_mm.lab.runs.devices import environments


def seen(found):
    return [each.get('CUDA_VISIBLE_DEVICES') for each in found]


@pytest.mark.parametrize(('visible', 'devices', 'expected'), [
    (None, 3, ['0', '1', '2']),
    ('', 0, ['', '']),
    ('4,6,7', 2, ['4', '6']),
    ('0', 0, ['', '']),
])
def test_a_run_on_each_device(monkeypatch, root, visible, devices, expected):
    if visible is None:
        monkeypatch.delenv('CUDA_VISIBLE_DEVICES', raising=False)
    else:
        monkeypatch.setenv('CUDA_VISIBLE_DEVICES', visible)
    assert seen(environments(devices, 2, root=root, together=False)) == expected


def test_a_detector_takes_all_devices_at_once(monkeypatch, root):
    monkeypatch.setenv('CUDA_VISIBLE_DEVICES', '2,3,5')
    assert seen(environments(2, 1, root=root, together=True)) == ['2,3']


def test_threads_are_shared_out(monkeypatch, root):
    monkeypatch.setattr('auglocal_mm.lab.runs.devices.usable_cores', lambda: 8)
    threads = [each['OMP_NUM_THREADS']
               for each in environments(0, 3, root=root, together=False)]
    assert threads == ['2'] * 3
