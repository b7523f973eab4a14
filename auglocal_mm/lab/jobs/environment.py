"""The environment of a tool's child processes."""
from __future__ import annotations

import os
from pathlib import Path


def child_environment(root: Path, *, threads: int = 1, devices: str | None = None
                      ) -> dict[str, str]:
    """Return an environment in which this package can be imported and output is unbuffered.

    Args:
        root: Folder that holds the package.
        threads: Number of threads that numerical libraries may use.
        devices: Value of ``CUDA_VISIBLE_DEVICES``; None leaves it unchanged.
    """
    path = [str(root), *filter(None, [os.environ.get('PYTHONPATH')])]
    seen = {} if devices is None else {'CUDA_VISIBLE_DEVICES': devices}
    return {
        **os.environ, 'PYTHONPATH': os.pathsep.join(path), 'PYTHONUNBUFFERED': '1',
        'OMP_NUM_THREADS': str(threads), 'MKL_NUM_THREADS': str(threads), **seen,
    }
