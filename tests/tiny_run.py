"""A config that trains in a second: a ResNet-20 of 4 channels on a few digits."""
from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

PACK = {'type': 'PackInputs'}


def tiny_config(work_dir: Path, **changes: Any) -> dict[str, Any]:
    """A config with one of each of our rules, wrappers, schedules, hooks and data sets."""
    loader = {'batch_size': 6, 'num_workers': 0, 'collate_fn': {'type': 'default_collate'},
              'sampler': {'type': 'DefaultSampler', 'shuffle': True},
              'dataset': {'type': 'auglocal_mm.Digits', 'split': 'train', 'indices': 12,
                          'pipeline': [PACK]}}
    return {
        'default_scope': 'mmpretrain',
        'work_dir': str(work_dir),
        'model': {
            'type': 'auglocal_mm.LocalImageClassifier',
            'backbone': {'type': 'auglocal_mm.ResNetCIFAR', 'depth': 20, 'stem_channels': 4,
                         'base_channels': 4},
            'local': {'type': 'auglocal_mm.AugLocal', 'depth': 2},
            'neck': {'type': 'GlobalAveragePooling'},
            'head': {'type': 'LinearClsHead', 'num_classes': 10, 'in_channels': 16}},
        'data_preprocessor': {'num_classes': 10, 'mean': [0.0] * 3, 'std': [255.0] * 3},
        'train_dataloader': loader,
        'train_cfg': {'by_epoch': True, 'max_epochs': 2},
        'optim_wrapper': {'type': 'auglocal_mm.AugLocalOptimWrapper',
                          'optimizer': {'type': 'SGD', 'lr': 0.01}},
        'param_scheduler': [{'type': 'auglocal_mm.WarmupCosineLR', 'epochs': 2,
                             'warmup_epochs': 1}],
        'custom_hooks': [{'type': 'auglocal_mm.AuxiliaryHeadHook'},
                         {'type': 'auglocal_mm.RandomStateHook'}],
        'default_hooks': {'logger': {'type': 'LoggerHook', 'interval': 1},
                          'checkpoint': {'type': 'CheckpointHook', 'interval': 1}},
        'env_cfg': {'dist_cfg': {'backend': 'nccl'}},
        'randomness': {'seed': 0},
        'log_level': 'INFO',
        **changes}


def write_tiny_config(folder: Path, text: str = '', **changes: Any) -> Path:
    """Write the config, and more lines, to ``folder/config.py``."""
    path = folder / 'config.py'
    lines = [f'{key} = {value!r}' for key, value in tiny_config(folder / 'run', **changes).items()]
    path.write_text('\n'.join([*lines, text]) + '\n')
    return path


def take_out_what_is_slow(patch: Any) -> None:
    """Make a run start in a quarter of a second; what our settings decide stays.

    mmengine asks every compiler for its version, formats the config and collects garbage; and
    most of the digits are never looked at.
    """
    from auglocal_mm.datasets import digit_images
    levels, labels = digit_images.load_digit_images('train')
    patch.setattr('mmengine.runner.runner.collect_env', dict)
    patch.setattr('mmengine.dataset.base_dataset.gc', SimpleNamespace(collect=lambda: None))
    patch.setattr('yapf.yapflib.yapf_api.FormatCode', lambda text, **options: (text, True))
    patch.setattr('auglocal_mm.datasets.digits.load_digit_images',
                  lambda split: (levels[:12], labels[:12]))
