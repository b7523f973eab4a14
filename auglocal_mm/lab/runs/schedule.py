"""A config's schedule at another length and batch, as ``--cfg-options``."""
from __future__ import annotations

from typing import Any


class ScheduleError(ValueError):
    """A config's schedule cannot be scaled."""


def _scaled(epochs: int, scale: float) -> int:
    return max(1, round(epochs * scale))


def scaled_epochs(cfg: Any, scale: float) -> int:
    """Return the epochs of a config's run multiplied by `scale`, at least 1."""
    return _scaled(cfg.train_cfg.max_epochs, scale)


def scale_schedule(cfg: Any, scale: float) -> list[str]:
    """Return options that scale a schedule, including its warm-up and steps.

    Args:
        cfg: A parsed config, epoch-based.
        scale: Factor above 0; 1 changes nothing.

    Raises:
        ScheduleError: A parameter scheduler is unknown here.
    """
    if scale == 1:
        return []
    options = [f'train_cfg.max_epochs={scaled_epochs(cfg, scale)}']
    schedulers = cfg.param_scheduler
    if isinstance(schedulers, dict):
        return options + _scale_scheduler(schedulers, 'param_scheduler', scale)
    for index, scheduler in enumerate(schedulers):
        options += _scale_scheduler(scheduler, f'param_scheduler.{index}', scale)
    return options


def _scale_scheduler(scheduler: Any, name: str, scale: float) -> list[str]:
    kind = scheduler['type'].rpartition('.')[2]
    if not scheduler.get('by_epoch', True):
        # A warm-up of some iterations is short compared with an epoch, so it stays.
        return []
    if kind == 'WarmupCosineLR':
        return [f'{name}.epochs={_scaled(scheduler["epochs"], scale)}',
                f'{name}.warmup_epochs={_scaled(scheduler["warmup_epochs"], scale)}']
    if kind == 'CosineAnnealingLR':
        return [f'{name}.T_max={_scaled(scheduler["T_max"], scale)}']
    if kind == 'MultiStepLR':
        milestones = ','.join(str(_scaled(each, scale)) for each in scheduler['milestones'])
        return [f'{name}.end={_scaled(scheduler["end"], scale)}',
                f'{name}.milestones=[{milestones}]']
    raise ScheduleError(f'{name} of type {kind} cannot be scaled; known are WarmupCosineLR, '
                        'CosineAnnealingLR and MultiStepLR by epoch')


def scale_batch(cfg: Any, batch_size: int | None, *, devices: int = 1) -> list[str]:
    """Return options that set the total batch and scale the learning rate in proportion.

    Args:
        cfg: A parsed config that sets ``auto_scale_lr.base_batch_size``.
        batch_size: Images per step over all devices; None for the config's base.
        devices: Ranks that share them.

    Raises:
        ScheduleError: The images cannot be divided evenly.
    """
    base = cfg.auto_scale_lr.base_batch_size
    total = batch_size or base
    if total % devices:
        raise ScheduleError(f'batch size must be a multiple of the {devices} devices, got {total}; '
                            'use another --gpus or --batch-size')
    options = [f'train_dataloader.batch_size={total // devices}']
    if total != base:
        rate = cfg.optim_wrapper.optimizer.lr * total / base
        options.append(f'optim_wrapper.optimizer.lr={rate:.6g}')
    return options
