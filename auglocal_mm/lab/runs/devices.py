"""The devices that runs use: how many there are, and which of them each run sees."""
from __future__ import annotations

import os
from pathlib import Path

from auglocal_mm.lab.jobs import child_environment
from auglocal_mm.lab.measure.system import usable_cores


def devices_to_use(wanted: int | None) -> int:
    """Return the number of GPUs to use: those wanted, by default all.

    Raises:
        ValueError: More are requested than there are.
    """
    import torch

    there = torch.cuda.device_count()
    if wanted is not None and not 0 <= wanted <= there:
        raise ValueError(f'--gpus must be 0 to {there}, the number found, got {wanted}')
    return there if wanted is None else wanted


def environments(devices: int, jobs: int, *, root: Path, together: bool) -> list[dict[str, str]]:
    """Return one environment per concurrent run.

    Args:
        devices: Number of GPUs; 0 for the CPU.
        jobs: Number of runs at once on the CPU.
        root: Folder that holds the package.
        together: Whether a run uses all GPUs, so that only one fits at a time.

    Raises:
        ValueError: There would be no run at all.
    """
    if jobs < 1:
        raise ValueError(f'--jobs must be at least 1, got {jobs}')
    if devices == 0:
        # Hidden, so that --gpus 0 means the CPU on a machine with GPUs.
        threads = max(1, usable_cores() // jobs)
        return [child_environment(root, threads=threads, devices='') for _ in range(jobs)]
    visible = os.environ.get('CUDA_VISIBLE_DEVICES')
    # Among the devices that are visible here, which need not start at 0.
    names = (visible.split(',') if visible else [str(index) for index in range(devices)])[:devices]
    threads = max(1, usable_cores() // devices)
    return [child_environment(root, threads=threads, devices=each)
            for each in ([','.join(names)] if together else names)]
