"""Seeds data loading workers from the main process, which a checkpoint can restore."""
import os
import random

import cv2
import numpy as np
import torch

from auglocal_mm.registry import FUNCTIONS


@FUNCTIONS.register_module()
def seed_worker(worker_id: int) -> None:
    """Give a worker random numbers of its own that differ from epoch to epoch.

    torch has seeded the worker from one number that the main process drew for
    this epoch, the same on every rank; here the rank joins in, and all generators
    follow. mmengine's default gives a worker the same seed in every epoch. Use it with
    ``persistent_workers=False``, so that an epoch starts from the main process's
    state alone and a resumed run repeats it.

    Args:
        worker_id: Number of the worker, which torch's seed already includes.
    """
    rank = int(os.environ.get('RANK', 0))
    seeds = np.random.SeedSequence([torch.initial_seed(), rank]).generate_state(3)
    torch.manual_seed(int(seeds[0]))
    np.random.seed(seeds[1])
    random.seed(int(seeds[2]))
    torch.set_num_threads(1)
    cv2.setNumThreads(0)
