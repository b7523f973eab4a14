"""Small runs on the digits, and what two of them must agree in."""
from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
import torch
from mmengine.config import Config
from mmengine.runner import Runner
from tool_runs import ROOT
from torch.utils.data import RandomSampler

from auglocal_mm.datasets.digit_images import load_digit_images
from auglocal_mm.engine.launch import build_runner, resume_from


class TorchSampler(RandomSampler):
    """Draws its order from the generator that everything else uses."""

    def __init__(self, dataset: Any, shuffle: bool = True, seed: Any = None) -> None:
        super().__init__(dataset)


#: Settings by name; `several` at once are merged from left to right.
VARIANTS: dict[str, dict[str, Any]] = {
    'plain': {},
    'accumulation': {'optim_wrapper.accumulative_counts': 3},
    'bfloat16': {'optim_wrapper.dtype': 'bfloat16'},
    'float16': {'optim_wrapper.dtype': 'float16',
                'optim_wrapper.loss_scale': {'init_scale': 1024.0, 'growth_interval': 2}},
    'ema': {'custom_hooks': [{'type': 'EMAHook', 'momentum': 0.3}]},
    'late ema': {'custom_hooks': [{'type': 'EMAHook', 'momentum': 0.3, 'begin_iter': 3}]},
    'workers': {'train_dataloader.num_workers': 2},
    'persistent': {'train_dataloader.num_workers': 2,
                   'train_dataloader.persistent_workers': True},
    'iterations': {'train_cfg': {'by_epoch': False, 'max_iters': 11, 'val_interval': 3},
                   'default_hooks.checkpoint.by_epoch': False,
                   'default_hooks.checkpoint.interval': 2},
    'infinite': {'train_dataloader.sampler': {'type': 'InfiniteSampler', 'shuffle': True}},
    'torch': {'train_dataloader.sampler': {'type': TorchSampler}},
    'midway': {'default_hooks.checkpoint.by_epoch': False,
               'default_hooks.checkpoint.interval': 1},
    'best': {'default_hooks.checkpoint.save_best': 'auto'},
}


def config(work_dir: Any, *variants: str, epochs: int = 2, **options: Any) -> Config:
    """Return a config of 5 iterations an epoch on a network of a few hundred weights."""
    cfg = Config.fromfile(ROOT / 'configs/demo/resnet34-slim_digits_auglocal.py')
    cfg.param_scheduler = {'type': 'CosineAnnealingLR', 'T_max': epochs}
    cfg.custom_hooks = []
    cfg.merge_from_dict({
        'work_dir': str(work_dir), 'experiment_name': f'{work_dir}'.replace('/', '-'),
        'train_cfg.max_epochs': epochs, 'launcher': 'none', 'log_level': 'WARNING',
        'model.backbone.depth': 18, 'model.backbone.base_channels': 2,
        'model.backbone.stem_channels': 4, 'model.head.in_channels': 16,
        'model.local.modules': 3,
        'train_dataloader.dataset.indices': 20, 'train_dataloader.batch_size': 4,
        'train_dataloader.num_workers': 0, 'train_dataloader.persistent_workers': False,
        'val_dataloader.dataset.indices': 8, 'val_dataloader.num_workers': 0,
        'val_dataloader.persistent_workers': False,
        'default_hooks.checkpoint.max_keep_ckpts': -1})
    for name in variants:
        variant = dict(VARIANTS[name])
        if 'train_cfg' in variant:
            cfg.train_cfg = variant.pop('train_cfg')
        cfg.merge_from_dict(variant)
    cfg.merge_from_dict(options)
    # Formatting the text of each checkpoint's config takes longer than training for it.
    cfg.__dict__['_format_python_code'] = False
    return cfg


def train(cfg: Config, resume: Any = None) -> Runner:
    """Train, from a checkpoint if one is given (`auto` for the newest)."""
    if resume is not None:
        resume_from(cfg, str(resume))
    with few_digits():
        runner = build_runner(cfg, splits=('train', 'val'))
        runner.train()
    return runner


@contextmanager
def few_digits(count: int = 48) -> Iterator[None]:
    """Load no more digits than a run looks at: enlarging all of them takes as long as it does."""
    def load(split: str) -> tuple[Any, Any]:
        levels, labels = load_digit_images(split)
        return levels[:count], labels[:count]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr('auglocal_mm.datasets.digits.load_digit_images', load)
        yield


def state(path: Any) -> dict[str, Any]:
    """Return what two runs must agree in to the bit: weights, averages, optimizer, counts."""
    content = torch.load(path, weights_only=False)
    kept = {key: content[key] for key in ('state_dict', 'ema_state_dict', 'optimizer',
                                          'param_schedulers') if key in content}
    return {**kept, 'at': (content['meta']['epoch'], content['meta']['iter'])}


def differing(one: Any, other: Any, name: str = '') -> list[str]:
    """Return the dotted names of all values that are not equal to the bit."""
    if isinstance(one, torch.Tensor):
        same = isinstance(other, torch.Tensor) and torch.equal(one, other)
        return [] if same else [name]
    if isinstance(one, dict) and isinstance(other, dict):
        lost = [f'{name}.{key}' for key in one.keys() ^ other.keys()]
        return lost + [each for key in one.keys() & other.keys()
                       for each in differing(one[key], other[key], f'{name}.{key}')]
    if isinstance(one, (list, tuple)) and isinstance(other, (list, tuple)):
        if len(one) != len(other):
            return [name]
        return [each for index, pair in enumerate(zip(one, other, strict=True))
                for each in differing(*pair, f'{name}.{index}')]
    return [] if one == other else [name]
