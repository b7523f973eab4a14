"""What a step frees stays for the next one."""
import ctypes
import json
import subprocess
import sys
from types import SimpleNamespace

import pytest

from auglocal_mm import ReuseMemoryHook
from auglocal_mm.engine.hooks import reuse_memory_hook

MEASURE = '''
import json, resource
from pathlib import Path
import torch
from auglocal_mm.engine.hooks.reuse_memory_hook import ReuseMemoryHook

def resident():
    return int(Path('/proc/self/statm').read_text().split()[1]) * resource.getpagesize()

def kept():
    before = resident()
    tensor = torch.ones(2**28, dtype=torch.uint8)
    there = resident() - before
    del tensor
    return there, resident() - before

usual = kept()
ReuseMemoryHook().before_run(None)
print(json.dumps([usual, kept()]))
'''


@pytest.mark.skipif(sys.platform != 'linux', reason='a hook for glibc')
def test_memory_stays_for_the_next_step(root):
    # A fresh process: what is free in this one, and in which arena, depends on earlier tests.
    done = subprocess.run([sys.executable, '-W', 'ignore', '-c', MEASURE], capture_output=True,
                          text=True, cwd=root, check=True)
    for (there, stays), share in zip(json.loads(done.stdout.splitlines()[-1]), (0.1, 1.1),
                                     strict=True):
        assert there > 0.9 * 2**28
        assert share - 0.2 < stays / 2**28 < share, done.stdout


def test_another_c_library_is_left_alone(monkeypatch):
    asked, said = [], []
    monkeypatch.setattr(ctypes, 'CDLL', lambda name: SimpleNamespace(
        mallopt=lambda *args: asked.append(args)))
    monkeypatch.setattr(reuse_memory_hook, 'print_log', lambda text, **kwargs: said.append(text))
    ReuseMemoryHook().before_run(SimpleNamespace())
    assert not asked
    assert 'does nothing' in said[0]
