"""What keeps a resumed run from ending with the weights of an uninterrupted one."""
from __future__ import annotations

from collections.abc import Iterator

from mmengine.hooks import EarlyStoppingHook
from mmengine.optim.scheduler import ReduceOnPlateauParamScheduler
from mmengine.runner import Runner

from auglocal_mm.engine.hooks.checkpoint_hook import CheckpointHook
from auglocal_mm.engine.hooks.random_state_hook import random_state_hook

from .batches import Batches


def warn_if_inexact(runner: Runner, batches: Batches) -> None:
    """Say once, at the start of a run, why resuming it will not be exact."""
    reasons = list(_reasons(runner, batches))
    if reasons:
        runner.logger.warning('If this run is interrupted, resuming it will not give exactly the '
                              'same weights: ' + '; '.join(reasons) + '.')


def _reasons(runner: Runner, batches: Batches) -> Iterator[str]:
    if random_state_hook(runner) is None:
        yield ("random states are not saved (add default_hooks.random_state="
               "dict(type='auglocal_mm.RandomStateHook'))")
    if not any(isinstance(hook, CheckpointHook) for hook in runner.hooks):
        yield ('gradients and positions inside an epoch are not saved (set '
               "default_hooks.checkpoint.type='auglocal_mm.CheckpointHook')")
    if batches.fault is not None:
        yield batches.fault
    if any(isinstance(hook, EarlyStoppingHook) for hook in runner.hooks):
        yield 'EarlyStoppingHook does not save what it counts'
    schedulers = runner.param_schedulers or []
    groups = schedulers.values() if isinstance(schedulers, dict) else [schedulers]
    if any(isinstance(each, ReduceOnPlateauParamScheduler) for group in groups for each in group):
        yield 'ReduceOnPlateau needs the validation that a kill may prevent'
