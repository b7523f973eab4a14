"""A trained model as a file to share: weights and their description, nothing else."""
from __future__ import annotations

import hashlib
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from mmengine.config import Config, ConfigDict
from mmengine.registry import MODELS, DefaultScope
from torch import nn

from .complete import verify_complete
from .errors import CheckpointError
from .literal_config import read_literal_config
from .read import read_checkpoint

#: What a training run records about itself and users of its weights need.
KEPT_META = ('cfg', 'dataset_meta', 'epoch', 'iter', 'seed', 'mmengine_version')
#: Digits of the checksum in the file name, as in OpenMMLab's own files.
DIGITS = 8


def publish_model(checkpoint: str | Path, out: str | Path, *,
                  config: str | Path | None = None) -> Path:
    """Write a classifier's or detector's weights to a file named after its checksum.

    Auxiliary networks, optimizer, schedules, random states and logs are left out, so
    the keys are the plain model's. If the run kept a moving average, its checkpoints
    hold the average as their weights, and the average is published. The model is
    built from the config, and every weight must be present. The file is read back and
    compared before it gets its name. The same weights and description always give
    the same file.

    Args:
        checkpoint: A file that a training run saved.
        out: Path without the checksum; ``out.pth`` and ``out`` are equivalent.
        config: Config file for a checkpoint that holds none, or whose components
            must be imported first.

    Returns:
        ``<out>-<first 8 digits of the file's SHA-256>.pth``.

    Raises:
        CheckpointError: The checkpoint is unreadable or has no config, a weight is
            missing, or the written file differs.
    """
    content = read_checkpoint(checkpoint)
    meta = content.get('meta') or {}
    verify_complete(_build_model(_config_of(meta, checkpoint, config), checkpoint), content,
                    checkpoint)
    published = {
        'state_dict': {key: value for key, value in content['state_dict'].items()
                       if not key.startswith('auxiliary.')},
        'meta': {key: meta[key] for key in KEPT_META if key in meta}}
    return _write_with_checksum(published, Path(out))


def _config_of(meta: Mapping[str, Any], checkpoint: str | Path,
               config: str | Path | None) -> ConfigDict:
    if config is not None:
        if not Path(config).is_file():
            raise FileNotFoundError(f'no config at {config}')
        cfg = Config.fromfile(config)
    elif 'cfg' in meta:
        cfg = ConfigDict(read_literal_config(meta['cfg']))
    else:
        raise CheckpointError(f'{checkpoint} holds no config, so missing weights cannot be '
                              'detected; give --config')
    if cfg.get('model') is None:
        raise CheckpointError(f'the config of {checkpoint} holds no model; give --config')
    return cfg


def _build_model(cfg: ConfigDict, checkpoint: str | Path) -> nn.Module:
    model = cfg.model
    model.setdefault('data_preprocessor', cfg.get('data_preprocessor'))
    scope = cfg.get('default_scope', 'mmpretrain')
    try:
        with DefaultScope.overwrite_default_scope(scope):
            return MODELS.build(model)
    except (KeyError, ImportError) as error:
        raise CheckpointError(
            f'the model of {checkpoint} cannot be built here ({error}); give --config with a '
            'config whose custom_imports import its components') from error


def _write_with_checksum(content: dict[str, Any], out: Path) -> Path:
    stem = out.name.removesuffix('.pth')
    out.parent.mkdir(parents=True, exist_ok=True)
    partial = out.with_name(f'.{stem}.{os.getpid()}.partial')
    try:
        with partial.open('wb') as file:
            # Given a path, torch would write its name into the archive and so into the checksum.
            torch.save(content, file)
        _require_same(content, read_checkpoint(partial))
        digest = hashlib.sha256(partial.read_bytes()).hexdigest()[:DIGITS]
        final = out.with_name(f'{stem}-{digest}.pth')
        os.replace(partial, final)
    finally:
        partial.unlink(missing_ok=True)
    return final


def _require_same(content: Mapping[str, Any], read: Mapping[str, Any]) -> None:
    wanted, got = content['state_dict'], read['state_dict']
    differing = [key for key in wanted if key not in got or not torch.equal(wanted[key], got[key])]
    if differing or wanted.keys() != got.keys() or content['meta'] != read.get('meta'):
        raise CheckpointError(f'the written file differs from its content ({differing[:1]}); '
                              'check the disk and try again')
