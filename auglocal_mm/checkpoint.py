"""Checkpoints: safe reading, checks for completeness, export in the standard form."""
from __future__ import annotations

import copy
import os
import pickle
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from mmengine.config import ConfigDict
from mmengine.registry import MODELS, DefaultScope
from torch import Tensor, nn

from .compat import allow_runner_checkpoints
from .literal_config import read_literal_config

SHOWN_KEYS = 8
#: Prefixes of entries that inference does not need.
OPTIONAL = ('auxiliary.', 'data_preprocessor.')


class CheckpointError(RuntimeError):
    """A checkpoint cannot be used as asked; the message says why and what to do."""


def read_checkpoint(source: str | Path) -> dict[str, Any]:
    """Read a checkpoint without running code from it.

    Returns:
        The file's dict, with the weights under ``state_dict`` even if the file is
        a bare state dict.

    Raises:
        CheckpointError: The file is missing, damaged, or holds more than tensors,
            plain values and mmengine's log history.
    """
    path = Path(source)
    if '://' in str(source):
        raise CheckpointError(f'{source} is not on this machine; download it first and give the '
                              'path, so that it can be read without running code from it')
    if not path.is_file():
        raise CheckpointError(f'no checkpoint at {path}; check the path'
                              + _neighbours(path))
    allow_runner_checkpoints()
    try:
        content = torch.load(path, map_location='cpu', weights_only=True)
    except pickle.UnpicklingError as error:
        forbidden = re.search(r'GLOBAL (\S+)|getattr of .*', str(error))
        reason = f'it asks for {forbidden[0]}' if forbidden else 'it is not an archive of tensors'
        raise CheckpointError(
            f'{path} cannot be read without running code from it ({reason}); '
            'save tensors and plain values only, or fetch the file again') from error
    except (RuntimeError, EOFError, OSError, ValueError) as error:
        raise CheckpointError(f'{path} is damaged or not a checkpoint ({error}); fetch or write '
                              'it again') from error
    if not isinstance(content, dict):
        raise CheckpointError(f'{path} holds a {type(content).__name__}, not a dict of weights')
    if 'state_dict' not in content:
        return {'state_dict': content}
    for key in ('cfg', 'config'):
        # mmengine would run this text as Python.
        text = content.get('meta', {}).get(key)
        try:
            read_literal_config(text or '')
        except (TypeError, ValueError) as error:
            raise CheckpointError(f'meta[{key!r}] of {path} is not a dumped config ({error}); '
                                  'remove it from the file') from error
    return content


def _neighbours(path: Path) -> str:
    names = sorted(p.name for p in path.parent.glob('*.pth')) if path.parent.is_dir() else []
    return f' (present: {", ".join(names[:SHOWN_KEYS])})' if names else ''


def export_backbone(checkpoint: str | Path, out: str | Path) -> int:
    """Write a trained classifier's backbone for any mmpretrain or mmdet config.

    The file loads with ``init_cfg=dict(type='Pretrained', checkpoint=out,
    prefix='backbone.')``. If the checkpoint holds its config, the backbone is built
    from it and must load completely. The file appears whole or not at all.

    Args:
        checkpoint: A file that a training run saved.
        out: The file to write.

    Returns:
        Number of entries written.

    Raises:
        CheckpointError: The file is unreadable, or holds no backbone or an incomplete one.
    """
    content = read_checkpoint(checkpoint)
    state = {key: value for key, value in content['state_dict'].items()
             if key.startswith('backbone.')}
    if not state:
        raise CheckpointError(
            f'{checkpoint} has no entry under "backbone.", only '
            f'{_some(content["state_dict"])}; give the checkpoint of a trained classifier')
    meta = content.get('meta', {})
    if 'cfg' in meta:
        _require_complete(_build_backbone(meta['cfg']), _strip(state, 'backbone.'), str(checkpoint))
    kept = {key: meta[key] for key in ('cfg', 'epoch', 'iter', 'seed', 'dataset_meta')
            if key in meta}
    write_atomically({'state_dict': state, 'meta': kept}, Path(out))
    return len(state)


def write_atomically(content: dict[str, Any], out: Path) -> None:
    """Save so that `out` is either the whole file or untouched."""
    out.parent.mkdir(parents=True, exist_ok=True)
    partial = out.with_name(f'.{out.name}.{os.getpid()}.partial')
    try:
        torch.save(content, partial)
        os.replace(partial, out)
    finally:
        partial.unlink(missing_ok=True)


def _build_backbone(text: str) -> nn.Module:
    cfg = ConfigDict(read_literal_config(text))
    backbone = cfg.model.backbone
    backbone.pop('init_cfg', None)
    with DefaultScope.overwrite_default_scope(cfg.get('default_scope', 'mmpretrain')):
        return MODELS.build(backbone)


def verify_complete(model: nn.Module, content: Mapping[str, Any], path: str | Path, *,
                    optional: tuple[str, ...] = OPTIONAL) -> None:
    """Check that a checkpoint has every weight of a model.

    Args:
        model: The model about to load it.
        content: What :func:`read_checkpoint` returned.
        path: The file, for the message.
        optional: Prefixes that may be missing.

    Raises:
        CheckpointError: Names the keys that are missing or have another shape.
    """
    _require_complete(model, content['state_dict'], str(path), optional=optional)


def verify_pretrained(model: nn.Module) -> None:
    """Check every ``init_cfg=dict(type='Pretrained', …)`` in a built model.

    If such a file does not fit, mmengine only warns and trains from random weights.
    Call this before training. Files that mmengine would download are not checked.

    Raises:
        CheckpointError: A file is missing or does not cover its module.
    """
    for name, module in model.named_modules():
        for init in _as_list(getattr(module, 'init_cfg', None)):
            if init.get('type') != 'Pretrained' or '://' in init.get('checkpoint', '://'):
                continue
            prefix = init.get('prefix') or ''
            prefix = f'{prefix.rstrip(".")}.' if prefix else ''
            state = read_checkpoint(init['checkpoint'])['state_dict']
            hint = f' under prefix {prefix!r}' if prefix else ' (no prefix is set)'
            _require_complete(module, _strip(state, prefix), f'{init["checkpoint"]}{hint}',
                              optional=OPTIONAL, exactly=bool(prefix),
                              owner=name or type(module).__name__)


def _as_list(init_cfg: Any) -> list[dict]:
    entries = init_cfg if isinstance(init_cfg, (list, tuple)) else [init_cfg]
    return [entry for entry in entries if isinstance(entry, dict)]


def _strip(state: Mapping[str, Tensor], prefix: str) -> dict[str, Tensor]:
    return {key[len(prefix):]: value for key, value in state.items() if key.startswith(prefix)}


def _require_complete(module: nn.Module, state: Mapping[str, Tensor], source: str, *,
                      optional: tuple[str, ...] = (), exactly: bool = False,
                      owner: str = '') -> None:
    """Load into a copy, as mmengine would (its hooks may convert keys), and judge the outcome."""
    state = {key.removeprefix('module.'): value for key, value in state.items()}
    own = module.state_dict()
    misshapen = [f'{key} {tuple(state[key].shape)} for {tuple(value.shape)}'
                 for key, value in own.items() if key in state and state[key].shape != value.shape]
    kept = {key: value for key, value in state.items()
            if key not in own or value.shape == own[key].shape}
    try:
        outcome = copy.deepcopy(module).load_state_dict(kept, strict=False)
    except RuntimeError as error:
        raise CheckpointError(f'{source} does not fit {owner or type(module).__name__}: '
                              f'{error}') from error
    missing = [key for key in outcome.missing_keys
               if key not in state and not key.startswith(optional)
               and not key.endswith('num_batches_tracked')]
    surplus = outcome.unexpected_keys if exactly else []
    if missing or misshapen or surplus:
        kinds = (('entries missing', missing), ('of another shape', misshapen),
                 ('not used', surplus))
        faults = ', '.join(f'{len(keys)} {kind} ({_some(keys)})' for kind, keys in kinds if keys)
        found = f'the file has {_some(state)}' if state else 'the file has nothing there'
        raise CheckpointError(
            f'{source} does not cover {owner or type(module).__name__} of {len(own)} entries: '
            f'{faults}; {found}. Missing weights would stay random; give the checkpoint of this '
            'architecture and the right prefix')


def _some(keys: Any) -> str:
    keys = list(keys)
    more = f', … {len(keys) - SHOWN_KEYS} more' if len(keys) > SHOWN_KEYS else ''
    return ', '.join(keys[:SHOWN_KEYS]) + more
