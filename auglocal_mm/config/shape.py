"""What kind of value each top-level key of a config holds, checked before anything reads it."""
from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from mmengine.registry import FUNCTIONS

from auglocal_mm.config.named import class_of
from auglocal_mm.validation import Faults, is_int, is_one_of, shown

_DICTS = ('model', 'data_preprocessor', 'optim_wrapper', 'train_cfg', 'val_cfg', 'test_cfg',
          'train_dataloader', 'val_dataloader', 'test_dataloader', 'default_hooks', 'env_cfg',
          'visualizer', 'model_wrapper_cfg', 'auto_scale_lr', 'randomness', 'log_processor')
LEVELS = ('DEBUG', 'INFO', 'WARNING', 'ERROR', 'CRITICAL')
_LISTS = ('custom_hooks',)
_SPLITS = ('train', 'val', 'test')


def check_shape(cfg: Mapping[str, Any]) -> None:
    """Check the kind of every top-level key that mmengine or we read.

    Raises:
        ValueError: A dict or a list is something else; all faults are listed.
    """
    faults = Faults('the config')
    for key in _DICTS:
        value = cfg.get(key)
        faults.add_unless(value is None or isinstance(value, Mapping),
                          f'{key} must be a dict, got {shown(value)}')
    for key in _LISTS:
        value = cfg.get(key)
        faults.add_unless(value is None or isinstance(value, (list, tuple)),
                          f'{key} must be a list, got {shown(value)}')
    for key in ('load_from', 'work_dir', 'default_scope'):
        value = cfg.get(key)
        faults.add_unless(value is None or isinstance(value, str),
                          f'{key} must be None or a string, got {shown(value)}')
    faults.add_unless(is_one_of(cfg.get('resume', False), (True, False)),
                      f'resume must be True or False, got {shown(cfg.get("resume"))}')
    level = cfg.get('log_level', 'INFO')
    faults.add_unless(is_int(level) or is_one_of(level, LEVELS),
                      f'log_level must be one of {", ".join(LEVELS)}, got {shown(level)}')
    _check_hooks(faults, cfg)
    _check_loaders(faults, cfg)
    faults.raise_if_any()


def _check_hooks(faults: Faults, cfg: Mapping[str, Any]) -> None:
    hooks = cfg.get('default_hooks')
    for name, hook in (hooks.items() if isinstance(hooks, Mapping) else ()):
        # None removes one of mmengine's default hooks.
        faults.add_unless(hook is None or isinstance(hook, Mapping),
                          f'default_hooks.{name} must be None or a dict, got {shown(hook)}')


def _check_loaders(faults: Faults, cfg: Mapping[str, Any]) -> None:
    for split in _SPLITS:
        loader = cfg.get(f'{split}_dataloader')
        if not isinstance(loader, Mapping):
            continue
        dataset = loader.get('dataset')
        faults.add_unless(
            # mmengine takes a built data set as well.
            isinstance(dataset, Mapping) or (hasattr(type(dataset), '__getitem__')
                                             and not isinstance(dataset, (str, list, tuple))),
            f'{split}_dataloader.dataset must be a dict with a type, got {shown(dataset)}')
        init = loader.get('worker_init_fn')
        faults.add_unless(
            init is None or (isinstance(init, Mapping)
                             and callable(class_of(init.get('type'), FUNCTIONS))),
            f'{split}_dataloader.worker_init_fn must be a dict whose type names a function, got '
            f'{shown(init)}')
        # mmengine would pass any key on, to fail in a worker process.
        if isinstance(init, Mapping) and str(init.get('type')).endswith('seed_worker'):
            extra = sorted(map(str, set(init) - {'type'}))
            faults.add_unless(
                not extra, f'{split}_dataloader.worker_init_fn: unknown key '
                f'{", ".join(map(repr, extra))}; seed_worker has no settings')
