"""Seeds data loading workers from the main process, which a checkpoint can restore."""
import os
import random

import cv2
import numpy as np
import torch

from auglocal_mm.registry import FUNCTIONS


def seed_worker(worker_id: int) -> None:
    """Give a worker its own random numbers, which differ from epoch to epoch.

    torch has seeded the worker from one number that the main process drew for this
    epoch, the same on every rank. This function mixes in the rank and seeds all
    generators. mmengine's default gives a worker the same seed in every epoch. Use
    this one with ``persistent_workers=False``, so that an epoch depends only on the
    main process's state and a resumed run repeats it.

    Args:
        worker_id: Number of the worker, already part of torch's seed.
    """
    # A worker belongs to no process group, but it inherits the launcher's variables.
    rank = int(os.environ.get('RANK', 0))
    seeds = np.random.SeedSequence([torch.initial_seed(), rank]).generate_state(3)
    torch.manual_seed(int(seeds[0]))
    np.random.seed(seeds[1])
    random.seed(int(seeds[2]))
    torch.set_num_threads(1)
    cv2.setNumThreads(0)


# No decorator: mmengine's has no types, and would hide this function's from type checkers.
FUNCTIONS.register_module(module=seed_worker)
