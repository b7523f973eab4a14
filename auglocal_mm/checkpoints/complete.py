"""Checks that a checkpoint covers the module that is to load it."""
from __future__ import annotations

import copy
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from mmengine.model import PretrainedInit
from mmengine.registry import WEIGHT_INITIALIZERS
from torch import Tensor, nn

from auglocal_mm.config.named import means
from auglocal_mm.config.walk import dicts_in

from .errors import CheckpointError, some
from .read import read_checkpoint

#: Prefixes of entries that inference does not need.
OPTIONAL = ('auxiliary.', 'data_preprocessor.')


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
    require_complete(model, content['state_dict'], str(path), optional=optional)


def verify_pretrained(model: nn.Module) -> None:
    """Check every ``init_cfg=dict(type='Pretrained', …)`` in a built model.

    If such a file does not fit, mmengine only warns and trains from random weights.
    Call this before training. Every spelling of the type counts, as do overrides
    inside another initialisation. Files that mmengine would download are not checked.

    Raises:
        CheckpointError: A file is missing or does not cover its module.
    """
    for name, module in model.named_modules():
        for init in _as_list(getattr(module, 'init_cfg', None)):
            for owner, target, each in _initialisations(name, module, init):
                if means(each.get('type'), PretrainedInit, WEIGHT_INITIALIZERS):
                    _verify_initialisation(owner, target, each)


def pretrained_files(model: Any, *, scope: str | None = None) -> Iterator[str]:
    """Yield the local files that a model's config names for its initial weights.

    Args:
        model: The config of a model, with any nesting.
        scope: Its ``default_scope``.
    """
    for _, part in dicts_in(model):
        named = [part.get('pretrained')]
        if 'checkpoint' in part and means(part.get('type'), PretrainedInit, WEIGHT_INITIALIZERS,
                                          scope=scope):
            named.insert(0, part['checkpoint'])
        yield from (name for name in named if isinstance(name, str) and not _elsewhere(name))


def _elsewhere(name: str | Path) -> bool:
    # A path such as http:/x.pth, written with two slashes, is here.
    return '://' in str(name) and not Path(name).is_file()


def _initialisations(name: str, module: nn.Module, init: Mapping[str, Any],
                     ) -> Iterator[tuple[str, nn.Module, Mapping[str, Any]]]:
    """Yield an initialisation and its overrides, each with the module it is for."""
    yield name, module, init
    for override in _as_list(init.get('override')):
        part = getattr(module, str(override.get('name')), None)
        if isinstance(part, nn.Module):
            # mmengine fills an override that only has a name from the outer settings.
            settings = override if 'type' in override else init
            yield f'{name}.{override["name"]}'.lstrip('.'), part, settings


def _verify_initialisation(owner: str, module: nn.Module, init: Mapping[str, Any]) -> None:
    owner = owner or type(module).__name__
    checkpoint = init.get('checkpoint')
    if not (isinstance(checkpoint, (str, Path)) and str(checkpoint)):
        raise CheckpointError(f'init_cfg of {owner} has checkpoint={checkpoint!r}; give the path '
                              'of a file')
    if _elsewhere(checkpoint):
        return
    prefix = init.get('prefix') or ''
    prefix = f'{prefix.rstrip(".")}.' if prefix else ''
    state = strip(read_checkpoint(checkpoint)['state_dict'], prefix)
    if not hasattr(module, 'classifier'):
        # A VGG has its linear layers in the backbone; where it feeds a neck, it ends before them.
        state = {key: value for key, value in state.items() if not key.startswith('classifier.')}
    hint = f' under prefix {prefix!r}' if prefix else ' (no prefix is set)'
    require_complete(module, state, f'{checkpoint}{hint}', optional=OPTIONAL,
                     exactly=bool(prefix), owner=owner)


def _as_list(init_cfg: Any) -> list[dict]:
    entries = init_cfg if isinstance(init_cfg, (list, tuple)) else [init_cfg]
    return [entry for entry in entries if isinstance(entry, dict)]


def strip(state: Mapping[str, Tensor], prefix: str) -> dict[str, Tensor]:
    """Return the entries under a prefix, without it."""
    return {key[len(prefix):]: value for key, value in state.items() if key.startswith(prefix)}


def require_complete(module: nn.Module, state: Mapping[str, Any], source: str, *,
                      optional: tuple[str, ...] = (), exactly: bool = False,
                      owner: str = '') -> None:
    """Load into a copy, as mmengine would (its hooks may convert keys), and judge the outcome."""
    own = module.state_dict()
    # mmengine removes this prefix of a data parallel wrapper as well.
    state = {key.removeprefix('module.'): value for key, value in state.items()}
    # What is no tensor cannot be a weight, so a weight of that name is missing.
    state = {key: value for key, value in state.items()
             if isinstance(value, Tensor) or not isinstance(own.get(key), Tensor)}
    # torch would raise at these, before it tells what is missing.
    misshapen = [f'{key} {tuple(state[key].shape)} for {tuple(value.shape)}'
                 for key, value in own.items()
                 if isinstance(state.get(key), Tensor) and state[key].shape != value.shape]
    kept = {key: value for key, value in state.items()
            if not isinstance(own.get(key), Tensor) or value.shape == own[key].shape}
    try:
        outcome = copy.deepcopy(module).load_state_dict(kept, strict=False)
    except RuntimeError as error:
        raise CheckpointError(f'{source} does not fit {owner or type(module).__name__}: '
                              f'{error}') from error
    # Older files lack the counts of batches; a norm with a momentum does not use them.
    missing = [key for key in outcome.missing_keys
               if key not in state and not key.startswith(optional)
               and not key.endswith('num_batches_tracked')]
    surplus = outcome.unexpected_keys if exactly else []
    if missing or misshapen or surplus:
        kinds = (('entries missing', missing), ('of another shape', misshapen),
                 ('not used', surplus))
        faults = ', '.join(f'{len(keys)} {kind} ({some(keys)})' for kind, keys in kinds if keys)
        found = f'the file has {some(state)}' if state else 'the file has nothing there'
        raise CheckpointError(
            f'{source} does not cover {owner or type(module).__name__} of {len(own)} entries: '
            f'{faults}; {found}. Missing weights would stay random; give the checkpoint of this '
            'architecture and the right prefix')
