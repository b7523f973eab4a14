"""The few differences between the maintained and the original OpenMMLab packages."""
from __future__ import annotations

import importlib

import numpy as np
import torch
from mmengine.logging import HistoryBuffer


def allow_runner_checkpoints() -> None:
    """Let ``torch.load(weights_only=True)`` read what mmengine's runner saves.

    torch ≥ 2.6 refuses by default all but tensors and plain values. A runner's
    checkpoint also holds its loss history: ``HistoryBuffer`` over NumPy arrays.
    The original mmengine cannot resume without this; the maintained one falls
    back to unpickling anything, which :mod:`auglocal_mm.checkpoint` rules out.
    """
    core = importlib.import_module('numpy._core' if hasattr(np, '_core') else 'numpy.core')
    dtypes = {type(np.dtype(kind)) for kind in ('bool', 'i4', 'i8', 'u1', 'u4', 'f4', 'f8')}
    torch.serialization.add_safe_globals([
        HistoryBuffer, np.ndarray, np.dtype, core.multiarray._reconstruct,
        core.multiarray.scalar, *sorted(dtypes, key=str)])
