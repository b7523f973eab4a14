"""Which part of the data a rank reads."""
from __future__ import annotations

import math
import os
from functools import partial
from typing import Any

from mmengine.dataset import DefaultSampler, InfiniteSampler
from mmengine.runner import Runner

from auglocal_mm.engine.pipeline_parallel import LocalPipelineParallel


def shared_out(runner: Runner, loader: Any) -> Any:
    """Return a training loader that reads this rank's share.

    Stages of a pipeline work on the same batches, so their replicas share the data, and not
    their ranks.

    Args:
        runner: The runner.
        loader: A data loader or its config.

    Raises:
        TypeError: The sampler is of a class whose shares are unknown.
    """
    model = runner.model
    if not isinstance(model, LocalPipelineParallel) or model.stages == 1:
        return loader
    if isinstance(loader, dict):
        loader = runner.build_dataloader(
            loader, seed=runner.seed,
            diff_rank_seed=runner._randomness_cfg.get('diff_rank_seed', False))
    sampler = loader.sampler
    if not hasattr(sampler, 'world_size'):
        sampler = getattr(loader.batch_sampler, 'sampler', sampler)
    if type(sampler) not in (DefaultSampler, InfiniteSampler):
        raise TypeError('LocalPipelineParallel shares out the images of a DefaultSampler or an '
                        f'InfiniteSampler, got {type(sampler).__name__}; set '
                        'train_dataloader.sampler.type')
    sampler.rank, sampler.world_size = model.replica, model.assignment.replicas
    if type(sampler) is DefaultSampler:
        images = len(sampler.dataset)
        # As the sampler itself counts when it is built.
        sampler.num_samples = math.ceil(
            images / sampler.world_size if sampler.round_up
            else (images - sampler.rank) / sampler.world_size)
        sampler.total_size = (sampler.num_samples * sampler.world_size if sampler.round_up
                              else images)
    else:
        sampler.indices = sampler._indices_of_rank()
    if loader.worker_init_fn is not None:
        loader.worker_init_fn = _AsReplica(loader.worker_init_fn, model.replica)
    return loader


class _AsReplica:
    """Seeds a worker as that of a rank with the replica's number, which one device has as well."""

    def __init__(self, seed: Any, replica: int) -> None:
        # mmengine's own function is told the rank; ours reads the launcher's variable.
        self._seed = partial(seed, rank=replica) if 'rank' in getattr(
            seed, 'keywords', {}) else seed
        self._replica = replica

    def __call__(self, worker_id: int) -> None:
        os.environ['RANK'] = str(self._replica)
        self._seed(worker_id)


def reads_data(runner: Runner) -> bool:
    """Tell whether this rank loads images: in a pipeline, the first stage alone does."""
    model = runner.model
    return not isinstance(model, LocalPipelineParallel) or model.is_first
