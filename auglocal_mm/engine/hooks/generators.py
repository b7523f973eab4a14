"""The states of this process's generators of random numbers."""
from __future__ import annotations

import random
from typing import Any

import numpy as np
import torch


def take_random_state() -> dict[str, Any]:
    """Return the states of Python's, NumPy's and torch's generators as plain values."""
    name, keys, position, has_gauss, cached = np.random.get_state(legacy=True)
    return {
        'python': random.getstate(),
        'numpy': (name, np.asarray(keys).tolist(), position, has_gauss, cached),
        'torch': torch.get_rng_state(),
        'cuda': torch.cuda.get_rng_state_all() if torch.cuda.is_available() else [],
    }


def set_random_state(state: dict[str, Any]) -> None:
    """Set the states that :func:`take_random_state` returned."""
    version, values, gauss = state['python']
    random.setstate((version, tuple(values), gauss))
    name, keys, *rest = state['numpy']
    np.random.set_state((name, np.array(keys, dtype=np.uint32), *rest))
    # mmengine moves a resumed checkpoint to its device; generators take states from the CPU.
    torch.set_rng_state(state['torch'].cpu())
    # torch sets them by index, so the number of devices must be the same.
    if torch.cuda.is_available() and len(state['cuda']) == torch.cuda.device_count():
        torch.cuda.set_rng_state_all([generator.cpu() for generator in state['cuda']])
