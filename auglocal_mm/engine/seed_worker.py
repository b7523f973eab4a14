"""Seeds data loading workers from the main process, which a checkpoint can restore."""
import random

import cv2
import numpy as np
import torch

from auglocal_mm.registry import FUNCTIONS


@FUNCTIONS.register_module()
def seed_worker(worker_id: int) -> None:
    """Give a worker random numbers of its own that differ from epoch to epoch.

    torch has seeded the worker from one number that the main process drew for
    this epoch; NumPy's and Python's generators follow it. mmengine's default
    gives a worker the same seed in every epoch. Use it with
    ``persistent_workers=False``, so that an epoch starts from the main process's
    state alone and a resumed run repeats it.

    Args:
        worker_id: Number of the worker, which torch's seed already includes.
    """
    seed = torch.initial_seed() % 2**32
    np.random.seed(seed)
    random.seed(seed)
    torch.set_num_threads(1)
    cv2.setNumThreads(0)
