"""What the tools' options change in a config, before anything is built."""
from __future__ import annotations

import os
from pathlib import Path

import torch
from mmengine.config import Config
from mmengine.optim import AmpOptimWrapper, OptimWrapper
from mmengine.registry import OPTIM_WRAPPERS

from auglocal_mm.config.named import class_of
from auglocal_mm.config.shape import check_shape
from auglocal_mm.config.shipped import config_path
from auglocal_mm.console.ranks.heart import LIMIT_SECONDS, heart
from auglocal_mm.console.told.peers import MINUTES
from auglocal_mm.validation import Faults, check_number, shown

from .optim_wrapper import AugLocalOptimWrapper

LOCAL_WRAPPER = 'auglocal_mm.AugLocalOptimWrapper'
#: How long ranks wait for each other, and the longest they may: a week.
DEFAULT_MINUTES, MAX_MINUTES = 10, 10_080


def load_config(path: str, *, work_dir: str | None = None, cfg_options: dict | None = None,
                launcher: str = 'none') -> Config:
    """Read a config; a tool's options override it.

    Args:
        path: A path, or ``package::name`` (see :func:`auglocal_mm.config.shipped.config_path`).
        work_dir: Used in place of the config's own.
        cfg_options: Settings by dotted name.
        launcher: The launcher that started the ranks.

    Raises:
        FileNotFoundError: There is no such config.
        ValueError: It cannot be parsed, or an option does not fit it.
    """
    cfg = _read(path)
    cfg.launcher = launcher
    if cfg_options:
        _override(cfg, cfg_options)
    if work_dir is not None:
        cfg.work_dir = work_dir
    elif cfg.get('work_dir') is None:
        cfg.work_dir = str(Path('work_dirs') / Path(path).stem)
    check_shape(cfg)
    return cfg


def _read(path: str) -> Config:
    file = config_path(path)
    try:
        return Config.fromfile(file)
    except (OSError, ImportError) as error:
        # What a config names is missing; Python's and the system's own words say what.
        raise ValueError(f'the config {file} cannot be read: {error}') from error
    except Exception as error:
        place = getattr(error, 'lineno', None)
        raise ValueError(f'the config {file} cannot be read'
                         f'{f", line {place}" if place else ""}: {type(error).__name__}: '
                         f'{str(error) or "no message"}; it must be a Python, YAML or JSON file '
                         'that OpenMMLab can parse') from error


def _override(cfg: Config, options: dict) -> None:
    # One by one, so that the message names the one that does not fit.
    for key, value in options.items():
        try:
            cfg.merge_from_dict({key: value})
        except Exception as error:
            raise ValueError(f'--cfg-options {key}={shown(value)} does not fit the config: '
                             f'{type(error).__name__}: {error}') from error


def set_timeout(cfg: Config, minutes: str | None) -> None:
    """Apply ``--timeout``: how long ranks wait for each other.

    Args:
        cfg: The config.
        minutes: The limit as typed; ``None`` for the config's own
            ``env_cfg.dist_cfg.timeout``, in seconds, or else 10 minutes.

    Raises:
        ValueError: It is no number of minutes above 0, or more than a week.
    """
    env = cfg.get('env_cfg') or {}
    settings = {'backend': 'nccl', **(env.get('dist_cfg') or {})}
    if minutes is not None or 'timeout' not in settings:
        settings['timeout'] = 60 * _parse_minutes(minutes or str(DEFAULT_MINUTES))
    faults = Faults('env_cfg.dist_cfg')
    check_number(faults, 'timeout', settings['timeout'], 0, 60 * MAX_MINUTES, above=True)
    faults.raise_if_any()
    cfg.env_cfg = {**env, 'dist_cfg': settings}
    # The error of a rank that waited in vain names the limit.
    os.environ[MINUTES] = f'{settings["timeout"] / 60:g}'


def set_hang_timeout(seconds: str | None) -> None:
    """Apply ``--hang-timeout``: how long the ranks of our launcher may stand still.

    Args:
        seconds: The limit as typed, 0 for none; ``None`` for 40 seconds.

    Raises:
        ValueError: It is neither 0 nor a number of seconds from 1 to a week.
    """
    if seconds is None:
        heart.limit = LIMIT_SECONDS
        return
    try:
        value = float(seconds)
    except ValueError:
        value = -1.0
    if value != 0 and not 1 <= value <= 60 * MAX_MINUTES:
        raise ValueError('--hang-timeout must be seconds from 1 to '
                         f'{60 * MAX_MINUTES:,}, or 0 for no limit, got {seconds!r}')
    heart.limit = value


def _parse_minutes(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = 0.0
    if not 0 < value <= MAX_MINUTES:
        raise ValueError(f'--timeout must be minutes above 0 and at most {MAX_MINUTES:,}, got '
                         f'{text!r}')
    return value


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
        # mmpretrain's tools/test.py has the same default.
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
