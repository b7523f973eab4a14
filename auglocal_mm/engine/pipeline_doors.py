"""What a pipeline of several stages refuses, because it would train something else."""
from __future__ import annotations

from typing import Any

from mmengine.hooks import CheckpointHook as HostCheckpointHook
from mmengine.runner import Runner

from auglocal_mm.validation import Faults

from .hooks.checkpoint_hook import CheckpointHook
from .loops import EpochBasedTrainLoop, IterBasedTrainLoop
from .pipeline_parallel import LocalPipelineParallel

#: Hooks that run or write to the whole model, of which a rank has a part only.
_WHOLE_MODEL_HOOKS = ('PreciseBNHook', 'SyncBuffersHook')


def require_pipeline(runner: Runner) -> None:
    """Check a runner whose model is a pipeline, before it trains.

    Raises:
        ValueError: A hook, a loop or a setting does not know about stages; all are listed.
    """
    model: Any = runner.model
    if not isinstance(model, LocalPipelineParallel) or model.stages == 1:
        return
    faults = Faults('LocalPipelineParallel')
    for hook in runner.hooks:
        name = type(hook).__name__
        faults.add_unless(
            name not in _WHOLE_MODEL_HOOKS, f'{name} needs the whole model on each rank, and a '
            'stage has a part of it; leave it out')
        faults.add_unless(
            not isinstance(hook, HostCheckpointHook) or isinstance(hook, CheckpointHook),
            f'{name} does not gather the stages; use auglocal_mm.CheckpointHook')
    loop = runner._train_loop
    kind = loop.get('type') if isinstance(loop, dict) else type(loop)
    faults.add_unless(
        kind in (EpochBasedTrainLoop, IterBasedTrainLoop), f'train_cfg.type must be a training '
        f'loop of auglocal_mm, which shares out the data between replicas, got {kind}')
    loader = runner._train_dataloader
    faults.add_unless(
        not (isinstance(loader, dict) and loader.get('num_batch_per_epoch')),
        'train_dataloader.num_batch_per_epoch counts ranks, not replicas; leave it out')
    faults.add_unless(
        not (runner.cfg.get('auto_scale_lr') or {}).get('enable'),
        'auto_scale_lr counts ranks, not replicas; set the learning rate itself')
    faults.add_unless(
        not runner._randomness_cfg.get('diff_rank_seed'),
        'randomness.diff_rank_seed gives each rank a seed of its own, and the ranks of a pipeline '
        'train what one device does; leave it out')
    bare = model.module
    augments = getattr(bare.data_preprocessor, 'batch_augments', None) or ()
    synchronised = [type(each).__name__ for each in augments
                    if type(each).__name__.startswith('BatchSync')]
    faults.add_unless(
        not synchronised, f'{", ".join(synchronised)} waits for all ranks, and only the first '
        'stage has images; take it out of data_preprocessor.batch_augments')
    counting = getattr(getattr(bare, 'head', None), 'loss_module', None)
    faults.add_unless(
        counting is None or not any(True for _ in counting.buffers()),
        f'{type(counting).__name__} keeps a count over the losses of all modules, which are on '
        'several ranks; use a loss without buffers')
    faults.raise_if_any()
