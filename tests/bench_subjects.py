"""Subjects of a benchmark without any model; child processes import them from here."""
from __future__ import annotations

import os
import signal
from typing import Any

#: What a row needs from a subject's process.
MEASURED = {
    'step_cpu_seconds': 0.5,
    'saved_activations_mb': 100.0, 'made_peak_mb': 150.0, 'live_peak_mb': 200.0,
    'live_parts_mb': {'parameters': 20.0, 'buffers': 1.0, 'optimizer state': 20.0,
                      'gradients': 19.0, 'activations': 120.0, 'rest': 20.0},
    'peak_memory_mb': 700.0, 'idle_memory_mb': 500.0,
    'params': 30, 'backbone_params': 20, 'auxiliary_params': 10, 'flops': 7_000_000,
    'backbone_flops': 5_000_000, 'batch_size': 4, 'image': [3, 8, 8], 'threads': 1,
    'precision': 'float32', 'device': 'cpu', 'torch': '2'}


class Made:
    """Steps that take the seconds they are told to have taken."""

    def step(self) -> float:
        print('said while stepping', flush=True)
        return 0.25

    def begin(self) -> None:
        pass

    def measure(self) -> dict[str, Any]:
        return {**MEASURED, 'pid': os.getpid()}


class Exits(Made):
    def step(self) -> float:
        os._exit(3)


class Killed(Made):
    def step(self) -> float:
        os.kill(os.getpid(), signal.SIGKILL)
        raise AssertionError('unreachable')


class OutOfMemory(Made):
    def step(self) -> float:
        raise MemoryError('no room for 7 bytes\nsecond line')


class NeverMade(Made):
    def __init__(self) -> None:
        raise ValueError('depth must be at least 2, got 1')


def by_name(entry: Any, settings: Any) -> Made:
    """Stand in for a row of Table 2 in tests of the tool; DGL dies."""
    return {'dgl': Killed}.get(entry.name, Made)()
