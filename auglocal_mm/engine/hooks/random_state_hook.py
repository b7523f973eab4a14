"""Makes a resumed run continue with the random numbers of the run it resumes."""
from __future__ import annotations

import random
from typing import Any

import numpy as np
import torch
from mmengine.dist import all_gather_object, get_rank
from mmengine.hooks import Hook
from mmengine.runner import Runner

from auglocal_mm.registry import HOOKS

KEY = 'random_states'


@HOOKS.register_module()
class RandomStateHook(Hook):
    """Keeps every rank's random states in the checkpoint, epoch by epoch.

    Call order: ``after_train_epoch`` takes the states, ``before_save_checkpoint``
    stores them, ``after_load_checkpoint`` reads them, ``before_train_epoch`` sets
    them. They are also set in uninterrupted runs, so an epoch's random numbers do
    not depend on what ran between it and the epoch before (validation, a restart).
    This is exact for epoch-based loops; other loops never end an epoch and save no
    states. With worker processes, use ``auglocal_mm.seed_worker``.
    """

    priority = 'VERY_HIGH'

    def __init__(self) -> None:
        self._states: list[dict[str, Any]] | None = None
        self._loaded: dict[str, Any] | None = None

    def after_train_epoch(self, runner: Runner) -> None:
        """Take the random states of all ranks."""
        self._states = all_gather_object(take_random_state())

    def before_save_checkpoint(self, runner: Runner, checkpoint: dict) -> None:
        """Store the states in the checkpoint."""
        if self._states is not None:
            seed = getattr(_sampler(runner), 'seed', None)
            checkpoint[KEY] = {'ranks': self._states, 'sampler_seed': seed}

    def after_load_checkpoint(self, runner: Runner, checkpoint: dict) -> None:
        """Read the states from the checkpoint, if it has them."""
        self._loaded = checkpoint.get(KEY)

    def before_train_epoch(self, runner: Runner) -> None:
        """Set this rank's states, if any were taken or loaded by a resume."""
        if self._loaded is not None:
            # A run that only starts from another's weights is at epoch 0.
            if runner.epoch > 0:
                self._adopt(runner, self._loaded)
            self._loaded = None
        if self._states is not None:
            set_random_state(self._states[get_rank()])

    def _adopt(self, runner: Runner, saved: dict[str, Any]) -> None:
        if len(saved['ranks']) != runner.world_size:
            runner.logger.warning(
                f'The checkpoint holds random states of {len(saved["ranks"])} ranks, but this run '
                f'has {runner.world_size}; random numbers will differ from an uninterrupted run.')
            return
        self._states = saved['ranks']
        sampler = _sampler(runner)
        if saved['sampler_seed'] is not None and hasattr(sampler, 'seed'):
            sampler.seed = saved['sampler_seed']
            sampler.set_epoch(runner.epoch)


def _sampler(runner: Runner) -> Any:
    """Return the sampler that shuffles; a batch sampler may hold it."""
    loader = runner.train_dataloader
    inner = getattr(loader.batch_sampler, 'sampler', None)
    return inner if hasattr(inner, 'seed') else loader.sampler


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
    torch.set_rng_state(state['torch'].cpu())
    if torch.cuda.is_available() and len(state['cuda']) == torch.cuda.device_count():
        torch.cuda.set_rng_state_all([generator.cpu() for generator in state['cuda']])
