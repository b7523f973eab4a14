"""What a step frees is there for the next one, without the system's help."""
import ctypes
import multiprocessing
import resource
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch

from auglocal_mm import ReuseMemoryHook
from auglocal_mm.engine.hooks import reuse_memory_hook

MIB = 2 ** 20
#: More than the tests' own process has free in one piece.
SIZE = 768


def resident():
    """Return the memory of this process in MiB."""
    return int(Path('/proc/self/statm').read_text().split()[1]) * resource.getpagesize() / MIB


def kept(asked, link):
    """Send how many MiB a process keeps of a large tensor that is gone."""
    if asked:
        ReuseMemoryHook().before_run(SimpleNamespace())
    torch.set_num_threads(1)  # A fork has none of its parent's OpenMP threads.
    ctypes.CDLL(None).malloc_trim(0)  # What tests before this one have left is not ours.
    before = resident()
    tensor = torch.ones(SIZE * MIB, dtype=torch.uint8)
    del tensor
    link.send(resident() - before)


@pytest.mark.skipif(sys.platform != 'linux', reason='a hook for glibc')
@pytest.mark.parametrize('asked', [False, True])
def test_memory_stays_for_the_next_step(asked):
    # A process of its own: what the hook sets lasts as long as the process.
    ours, theirs = multiprocessing.Pipe()
    process = multiprocessing.get_context('fork').Process(target=kept, args=(asked, theirs))
    process.start()
    assert ours.poll(60)
    stays = ours.recv()
    process.join()
    assert stays > 0.9 * SIZE if asked else stays < 0.1 * SIZE


def test_another_c_library_is_left_alone(monkeypatch):
    asked, said = [], []
    monkeypatch.setattr(ctypes, 'CDLL', lambda name: SimpleNamespace(
        mallopt=lambda *args: asked.append(args)))
    monkeypatch.setattr(reuse_memory_hook, 'print_log', lambda text, **kwargs: said.append(text))
    ReuseMemoryHook().before_run(SimpleNamespace())
    assert not asked
    assert 'does nothing' in said[0]
