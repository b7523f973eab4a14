"""From a config to a runner; shared by the tools."""
from __future__ import annotations

import logging
import os
from collections.abc import Mapping
from contextlib import nullcontext
from datetime import timedelta
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import torch
import torch.distributed as dist
from mmengine.config import Config
from mmengine.model import BaseTTAModel, MMDistributedDataParallel, is_model_wrapper
from mmengine.registry import MODEL_WRAPPERS, RUNNERS
from mmengine.runner import Runner
from mmengine.visualization.vis_backend import BaseVisBackend
from torch import nn

from auglocal_mm.checkpoints import (
    judge_overlap,
    pretrained_files,
    read_checkpoint,
    require_resumable,
    require_training_state,
    use_safe_reader,
    verify_complete,
    verify_pretrained,
)
from auglocal_mm.checkpoints.plain_config import require_plain_config
from auglocal_mm.config.named import means
from auglocal_mm.console.host_chatter import drop_host_chatter, import_hosts
from auglocal_mm.console.ranks.report import is_watched
from auglocal_mm.datasets.check import check_data, check_data_settings
from auglocal_mm.datasets.provision import provide_data
from auglocal_mm.models import LocalTraining
from auglocal_mm.validation import shown

from .adopt import adopt
from .distributed import LocalDistributedDataParallel
from .hooks.heart_hook import tell_heart
from .hooks.pipeline_hooks import JoinWeights, SplitWeights
from .image_folder import use_image_folder
from .loading import guard_loading
from .options import (
    drop_validation,
    load_config,
    resume_from,
    scale_learning_rate,
    set_hang_timeout,
    set_timeout,
    use_mixed_precision,
    use_test_time_augmentation,
)
from .ownership import own
from .pipeline_doors import require_pipeline
from .pipeline_parallel import LocalPipelineParallel
from .resume import Found, find_resumable
from .share.runner import StageRunner, trains_a_share

#: What each of mmengine's visualizer backends imports when it is first used.
BACKEND_PACKAGES = {
    'TensorboardVisBackend': ('tensorboard',), 'WandbVisBackend': ('wandb',),
    'MLflowVisBackend': ('mlflow',), 'ClearMLVisBackend': ('clearml',),
    'NeptuneVisBackend': ('neptune',), 'DVCLiveVisBackend': ('pygit2', 'dvclive'),
    'AimVisBackend': ('aim',)}

__all__ = ['add_host_defaults', 'bare_model', 'build_runner', 'drop_validation', 'load_config',
           'load_for_test', 'resume_from', 'scale_learning_rate', 'set_hang_timeout',
           'set_timeout', 'start_process_group', 'starting_checkpoint', 'use_image_folder',
           'use_mixed_precision', 'use_test_time_augmentation']


def starting_checkpoint(cfg: Config) -> str | None:
    """Check the file that mmengine will load or resume from, and return its path.

    Raises:
        CheckpointError: It cannot be read, or is to be resumed but has no training state.
    """
    path = cfg.get('load_from')
    if path is None:
        return None
    content = read_checkpoint(path)
    if cfg.get('resume'):
        require_training_state(content, path)
    return path


def start_process_group(cfg: Config) -> None:
    """Connect a launcher's ranks over gloo if there is no accelerator, or the config asks for it.

    mmengine's own function asks for a CUDA device whatever the backend, and for one of its own
    for each rank. Over gloo, several ranks may share one.
    """
    asked = (cfg.get('env_cfg') or {}).get('dist_cfg', {}).get('backend')
    if cfg.launcher == 'none' or dist.is_initialized() or (
            torch.cuda.is_available() and asked != 'gloo'):
        return
    if cfg.launcher != 'pytorch':
        raise ValueError(f'launcher {cfg.launcher!r} needs accelerators; without any, use '
                         'tools/dist_train.sh (launcher pytorch)')
    seconds = (cfg.get('env_cfg') or {}).get('dist_cfg', {}).get('timeout')
    dist.init_process_group('gloo', timeout=timedelta(seconds=seconds) if seconds else None)
    if torch.cuda.is_available():
        torch.cuda.set_device(int(os.environ['LOCAL_RANK']) % torch.cuda.device_count())
        return
    # What mmengine uses where a config has none.
    wrapper = cfg.get('model_wrapper_cfg') or {
        'type': 'MMDistributedDataParallel', 'broadcast_buffers': False,
        'find_unused_parameters': cfg.get('find_unused_parameters', False)}
    if means(wrapper.get('type', 'MMDistributedDataParallel'), MMDistributedDataParallel,
             MODEL_WRAPPERS, scope=cfg.get('default_scope')):
        # A module on the CPU must not be given device ids.
        wrapper['device_ids'] = None
    cfg.model_wrapper_cfg = wrapper


def add_host_defaults(cfg: Config) -> None:
    """Add what mmpretrain's own tools set in every dataloader that does not set it."""
    if cfg.get('default_scope') != 'mmpretrain':
        return
    for split in ('train', 'val', 'test'):
        loader = cfg.get(f'{split}_dataloader')
        if loader:
            # mmpretrain always pins; without an accelerator, torch would warn.
            loader.setdefault('pin_memory', torch.cuda.is_available())
            loader.setdefault('collate_fn', {'type': 'default_collate'})


def require_backends(cfg: Config) -> None:
    """Refuse a visualizer backend whose package is missing; mmengine would notice it late.

    Raises:
        ValueError: Packages are missing; the message says what to install.
    """
    backends = (cfg.get('visualizer') or {}).get('vis_backends') or []
    if not isinstance(backends, (list, tuple)) or not all(
            isinstance(each, (Mapping, BaseVisBackend)) for each in backends):
        raise ValueError('visualizer.vis_backends must be a list of dicts with a type, got '
                         f'{shown(backends)}')
    named = [_short_name(each.get('type')) for each in backends if isinstance(each, Mapping)]
    missing = {name: [package for package in BACKEND_PACKAGES.get(name, ())
                      if find_spec(package) is None] for name in named}
    lacking = [name for name, packages in missing.items() if packages]
    if lacking:
        packages = ' '.join(package for name in lacking for package in missing[name])
        raise ValueError(f'{", ".join(lacking)} in visualizer.vis_backends cannot be used here: '
                         f'pip install {packages}')


def _short_name(kind: Any) -> str:
    return getattr(kind, '__name__', None) or str(kind).rpartition('.')[2]


def build_runner(cfg: Config, *, splits: tuple[str, ...]) -> Runner:
    """Check or download data, check every checkpoint to be read, then build the runner.

    Args:
        cfg: The whole config.
        splits: Dataloaders that will be used: ``train``, ``val``, ``test``.

    Raises:
        FileNotFoundError, DataError, CheckpointError, ValueError: Something that the config names
            is missing or impossible; no checkpoint or result was touched.
    """
    if cfg.get('model') is None:
        raise ValueError('model must be a dict with a type, got None; give a whole config')
    require_backends(cfg)
    if 'train' in splits:
        require_plain_config(cfg)
    check_data_settings(cfg, splits=splits)
    check_data(cfg, splits=splits)
    provide_data(cfg, splits=splits)
    # Before anything below lets mmengine read a checkpoint.
    use_safe_reader()
    found = _find_resumable(cfg)
    start = found.path if found else starting_checkpoint(cfg)
    if 'train' in splits:
        for path in pretrained_files(cfg.model, scope=cfg.get('default_scope')):
            read_checkpoint(path)
    if cfg.get('default_scope') == 'mmdet':
        import_hosts('mmdet.datasets', 'mmdet.models')
    add_host_defaults(cfg)
    start_process_group(cfg)
    if 'train' in splits:
        own(cfg.work_dir, launcher=cfg.launcher)
    # Only now, when the work_dir is owned: a runner begins by writing its log there.
    runner = _new_runner(cfg, splits)
    if found:
        # mmengine would follow last_checkpoint, into another folder as well.
        runner._load_from, runner._resume = found.path, found.path is not None
        runner.logger.log(logging.WARNING if found.passed_over else logging.INFO, str(found))
    if 'train' in splits:
        _prepare_training(runner, cfg, start)
    return runner


def _new_runner(cfg: Config, splits: tuple[str, ...]) -> Runner:
    if 'train' in splits and trains_a_share(cfg):
        runner = StageRunner.from_cfg(cfg)
    else:
        runner = RUNNERS.build(cfg) if 'runner_type' in cfg else Runner.from_cfg(cfg)
    drop_host_chatter(runner.logger)
    if is_watched():
        tell_heart(runner)
    return runner


def _prepare_training(runner: Runner, cfg: Config, start: str | None) -> None:
    """Give a runner our loops and hooks, and check that its model can be trained as asked."""
    adopt(runner)
    if isinstance(runner.model, LocalPipelineParallel):
        require_pipeline(runner)
        runner.register_hook(JoinWeights())
        runner.register_hook(SplitWeights())
    model = bare_model(runner)
    if isinstance(model, LocalTraining):
        if cfg.get('compile'):
            raise ValueError(
                f'compile={shown(cfg.compile)} compiles a training step as a whole, but local '
                'learning runs backward passes inside it; leave compile out')
        model.check_batch_size(cfg.train_dataloader.get('batch_size'))
    with runner.preparing() if isinstance(runner, StageRunner) else nullcontext():
        _judge_start(runner, model, start)


def _find_resumable(cfg: Config) -> Found | None:
    """Find what ``--resume`` without a path continues from; ``None`` if it was not asked for."""
    if not cfg.get('resume') or cfg.get('load_from') is not None:
        return None
    # Owned before it is searched: another run there might remove what is found.
    if Path(cfg.work_dir).is_dir():
        own(cfg.work_dir, launcher=cfg.launcher)
    return find_resumable(cfg)


def _judge_start(runner: Runner, model: nn.Module, start: str | None) -> None:
    """Compare the model with the weights that it will start from, before any is loaded."""
    if start is None:
        verify_pretrained(model)
        return
    guard_loading(runner, start)
    if runner._resume:
        require_resumable(model, read_checkpoint(start), start)
    else:
        told = judge_overlap(model, read_checkpoint(start), start)
        if told:
            runner.logger.warning(told)


def load_for_test(cfg: Config, checkpoint: str) -> Runner:
    """Build a runner to test `checkpoint`, which must have every weight of the model."""
    cfg.load_from, cfg.resume = checkpoint, False
    wrapper = cfg.get('model_wrapper_cfg') or {}
    if means(wrapper.get('type'), LocalPipelineParallel, MODEL_WRAPPERS,
             scope=cfg.get('default_scope')):
        # Every rank tests images of its own on the whole model, however many there are.
        cfg.model_wrapper_cfg = {'type': LocalDistributedDataParallel}
    runner = build_runner(cfg, splits=('test',))
    verify_complete(bare_model(runner), read_checkpoint(checkpoint), checkpoint)
    return runner


def bare_model(runner: Runner) -> nn.Module:
    """Return the model without its wrapper for data parallel or test time augmentation."""
    wrapped = is_model_wrapper(runner.model) or isinstance(runner.model, BaseTTAModel)
    return runner.model.module if wrapped else runner.model
