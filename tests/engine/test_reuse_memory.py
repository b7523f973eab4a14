"""What a step frees is there for the next one, without the system's help."""
import ctypes
import multiprocessing
import resource
import sys
from types import SimpleNamespace

import pytest
import torch

from auglocal_mm import ReuseMemoryHook
from auglocal_mm.engine.hooks import reuse_memory_hook

MIB = 2 ** 20
PAGES = 64 * MIB // resource.getpagesize()


def page_faults(asked, link):
    """Send how often a process asked for pages while it made large tensors again."""
    if asked:
        ReuseMemoryHook().before_run(SimpleNamespace())
    for _ in range(6):  # Small blocks that stay may split what is free, but not each time.
        before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
        for size in (64, 48, 64, 32):
            torch.empty(size * MIB, dtype=torch.uint8).fill_(1)
    link.send(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)


@pytest.mark.skipif(sys.platform != 'linux', reason='a hook for glibc')
@pytest.mark.parametrize('asked', [False, True])
def test_memory_is_used_a_second_time(asked):
    # A process of its own: what the hook sets lasts as long as the process.
    ours, theirs = multiprocessing.Pipe()
    process = multiprocessing.get_context('fork').Process(target=page_faults, args=(asked, theirs))
    process.start()
    assert ours.poll(60)
    faults = ours.recv()
    process.join()
    assert faults < PAGES / 2 if asked else faults > 2 * PAGES


def test_another_c_library_is_left_alone(monkeypatch):
    asked, said = [], []
    monkeypatch.setattr(ctypes, 'CDLL', lambda name: SimpleNamespace(
        mallopt=lambda *args: asked.append(args)))
    monkeypatch.setattr(reuse_memory_hook, 'print_log', lambda text, **kwargs: said.append(text))
    ReuseMemoryHook().before_run(SimpleNamespace())
    assert not asked
    assert 'does nothing' in said[0]
