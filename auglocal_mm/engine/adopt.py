"""Gives a runner our checkpoint hook and training loops where it would use mmengine's."""
from __future__ import annotations

from mmengine.hooks import CheckpointHook as HostCheckpointHook
from mmengine.registry import LOOPS
from mmengine.runner import EpochBasedTrainLoop as HostEpochLoop
from mmengine.runner import IterBasedTrainLoop as HostIterLoop
from mmengine.runner import Runner

from auglocal_mm.config.named import class_of

from .hooks import CheckpointHook
from .loops import EpochBasedTrainLoop, IterBasedTrainLoop

_OURS = {HostEpochLoop: EpochBasedTrainLoop, HostIterLoop: IterBasedTrainLoop}


def adopt(runner: Runner) -> None:
    """Replace mmengine's own ``CheckpointHook`` and training loop by ours.

    mmengine has resolved their names by now, so every spelling counts. The config stays
    as it was written. Subclasses and other classes are left alone, loops with a
    warning.
    """
    for index, hook in enumerate(runner._hooks):
        if type(hook) is HostCheckpointHook:
            # In its place, because mmengine has sorted them by priority.
            runner._hooks[index] = CheckpointHook.of_host(hook)
    loop = runner._train_loop
    # None without training. mmengine builds it when training begins.
    if not isinstance(loop, dict):
        return
    host = HostEpochLoop if loop.get('by_epoch', True) else HostIterLoop
    kind = class_of(loop['type'], LOOPS) if 'type' in loop else host
    if kind in _OURS:
        # mmengine refuses `by_epoch` beside a `type`.
        settings = {key: value for key, value in loop.items() if key != 'by_epoch'}
        runner._train_loop = {**settings, 'type': _OURS[kind]}
    elif kind not in _OURS.values():
        runner.logger.warning(
            f'If this run is interrupted, resuming it may not give exactly the same weights: '
            f'train_cfg.type={loop["type"]!r} is a loop of its own.')

