"""Differences between the maintained and the original OpenMMLab packages."""
from __future__ import annotations

import importlib
import pickle

import numpy as np
import torch
from mmengine.logging import HistoryBuffer


def allow_runner_checkpoints() -> None:
    """Let ``torch.load(weights_only=True)`` read what mmengine's runner saves.

    By default, torch ≥ 2.6 refuses everything but tensors and plain values. A runner's
    checkpoint also holds its loss history: ``HistoryBuffer`` over NumPy arrays.
    The original mmengine cannot resume without this function. The maintained one
    falls back to unpickling anything, which :mod:`auglocal_mm.checkpoints` prevents.
    """
    core = importlib.import_module('numpy._core' if hasattr(np, '_core') else 'numpy.core')
    dtypes = {type(np.dtype(kind)) for kind in ('bool', 'i4', 'i8', 'u1', 'u4', 'f4', 'f8')}
    torch.serialization.add_safe_globals([
        HistoryBuffer, np.ndarray, np.dtype, core.multiarray._reconstruct,
        core.multiarray.scalar, *sorted(dtypes, key=str),
        (_history_method, 'builtins.getattr'), (_history_method, '__builtin__.getattr')])


def _history_method(owner: object, name: str) -> object:
    """Stand in for ``getattr``, by which a pickled ``HistoryBuffer`` names its own methods.

    Raises:
        pickle.UnpicklingError: Anything else is requested.
    """
    if owner is not HistoryBuffer or name.startswith('_'):
        raise pickle.UnpicklingError(f'getattr of {owner!r}, {name!r} is not allowed')
    return getattr(owner, name)
