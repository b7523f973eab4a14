"""What the tools' options change in a config, before anything is built."""
from __future__ import annotations

from pathlib import Path

import torch
from mmengine.config import Config
from mmengine.optim import AmpOptimWrapper, OptimWrapper
from mmengine.registry import OPTIM_WRAPPERS

from auglocal_mm.named import class_of
from auglocal_mm.shipped import config_path

from .optim_wrapper import AugLocalOptimWrapper

LOCAL_WRAPPER = 'auglocal_mm.AugLocalOptimWrapper'


def load_config(path: str, *, work_dir: str | None = None, cfg_options: dict | None = None,
                launcher: str = 'none') -> Config:
    """Read a config; a tool's options override it.

    Args:
        path: A path, or ``package::name`` (see :func:`auglocal_mm.shipped.config_path`).
        work_dir: Used in place of the config's own.
        cfg_options: Settings by dotted name.
        launcher: The launcher that started the ranks.

    Raises:
        FileNotFoundError: There is no such config.
    """
    cfg = Config.fromfile(config_path(path))
    cfg.launcher = launcher
    if cfg_options:
        cfg.merge_from_dict(cfg_options)
    if work_dir is not None:
        cfg.work_dir = work_dir
    elif cfg.get('work_dir') is None:
        cfg.work_dir = str(Path('work_dirs') / Path(path).stem)
    return cfg


def use_mixed_precision(cfg: Config) -> None:
    """Apply ``--amp``: float16 on an accelerator, bfloat16 on the CPU.

    Raises:
        ValueError: The optimizer wrapper does not support it here.
    """
    wrapper = cfg.optim_wrapper
    kind = class_of(wrapper.get('type', 'OptimWrapper'), OPTIM_WRAPPERS,
                    scope=cfg.get('default_scope'))
    if isinstance(kind, type) and issubclass(kind, AugLocalOptimWrapper):
        if wrapper.get('dtype') is None:
            wrapper.dtype = 'float16' if torch.cuda.is_available() else 'bfloat16'
    elif kind in (OptimWrapper, AmpOptimWrapper):
        if not torch.cuda.is_available():
            raise ValueError(f'--amp with {kind.__name__} needs an accelerator and none was found; '
                             f"leave --amp out, or use optim_wrapper.type='{LOCAL_WRAPPER}', "
                             'which autocasts on the CPU as well')
        wrapper.type = 'AmpOptimWrapper'
        wrapper.setdefault('loss_scale', 'dynamic')
    else:
        raise ValueError(f'--amp does not know optim_wrapper.type={wrapper.get("type")!r}; set '
                         'its precision in the config')


def scale_learning_rate(cfg: Config) -> None:
    """Apply ``--auto-scale-lr``, based on ``auto_scale_lr.base_batch_size``.

    Raises:
        ValueError: The config states no base batch size.
    """
    if 'base_batch_size' not in (cfg.get('auto_scale_lr') or {}):
        raise ValueError('--auto-scale-lr needs auto_scale_lr=dict(base_batch_size=…) in the '
                         'config: the total batch size that its learning rate was chosen for')
    cfg.auto_scale_lr.enable = True


def use_test_time_augmentation(cfg: Config) -> None:
    """Apply ``--tta``: the config's ``tta_model`` and ``tta_pipeline``, else flipped images.

    Raises:
        ValueError: It is a detection config without them, or its pipeline is hidden.
    """
    pipeline = cfg.test_dataloader.dataset.get('pipeline')
    if pipeline is None:
        raise ValueError('--tta cannot see the pipeline inside '
                         f'{cfg.test_dataloader.dataset.type}; give the wrapped data set '
                         'itself as test_dataloader.dataset')
    if cfg.get('default_scope') == 'mmpretrain':
        cfg.setdefault('tta_model', {'type': 'AverageClsScoreTTA'})
        flips = [{'type': 'RandomFlip', 'prob': 1.0}, {'type': 'RandomFlip', 'prob': 0.0}]
        cfg.setdefault('tta_pipeline', [*pipeline[:-1], {
            'type': 'TestTimeAug', 'transforms': [flips, [pipeline[-1]]]}])
    if 'tta_model' not in cfg or 'tta_pipeline' not in cfg:
        raise ValueError('--tta needs tta_model and tta_pipeline in a detection config; mmdet '
                         'has no default for averaging masks')
    cfg.model = {**cfg.tta_model, 'module': cfg.model}
    cfg.test_dataloader.dataset.pipeline = cfg.tta_pipeline


def resume_from(cfg: Config, path: str) -> None:
    """Apply ``--resume [PATH]``; ``auto`` finds the latest checkpoint in the work_dir."""
    cfg.resume = True
    cfg.load_from = None if path == 'auto' else path


def drop_validation(cfg: Config) -> None:
    """Apply ``--no-validate``."""
    cfg.val_cfg = cfg.val_dataloader = cfg.val_evaluator = None
