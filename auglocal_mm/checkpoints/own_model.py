"""The model that a checkpoint is about: built from its own config, or from one given."""
from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from mmengine.config import Config, ConfigDict
from mmengine.registry import MODELS, DefaultScope
from torch import nn

from auglocal_mm.config.parts import parts_of, with_preprocessor

from .errors import CheckpointError
from .literal_config import read_literal_config
from .untrusted_model import build_untrusted


def own_model(content: Mapping[str, Any], checkpoint: str | Path, config: str | Path | None = None,
              *, part: str | None = None) -> nn.Module | None:
    """Build the model of a checkpoint, without initialising its weights.

    Args:
        content: What :func:`read_checkpoint` returned.
        checkpoint: Its file, for messages.
        config: A config that the user trusts. ``None`` for the one inside the
            checkpoint, of which only registered classes are built.
        part: Key of the part to build, such as ``'backbone'``; ``None`` for all.

    Returns:
        The model or its part; ``None`` if there is no config.

    Raises:
        FileNotFoundError: There is no such config.
        CheckpointError: The config holds no such model, or its model cannot be built.
    """
    if config is not None:
        if not Path(config).is_file():
            raise FileNotFoundError(f'no config at {config}')
        cfg: Mapping[str, Any] = Config.fromfile(config)
    elif 'cfg' in (content.get('meta') or {}):
        cfg = read_literal_config(content['meta']['cfg'])
    else:
        return None
    model = _model(cfg, part, f'the config of {checkpoint}' if config is None else str(config))
    scope = cfg.get('default_scope') or 'mmpretrain'
    if config is None:
        return build_untrusted(model, scope=scope, source=checkpoint)
    with DefaultScope.overwrite_default_scope(scope):
        return MODELS.build(ConfigDict(model))


def _model(cfg: Mapping[str, Any], part: str | None, name: str) -> dict[str, Any]:
    model = cfg.get('model')
    if not isinstance(model, Mapping):
        raise CheckpointError(f'{name} holds no model; give --config')
    if part is None:
        return with_preprocessor(cfg)
    settings = parts_of(model).get(part)
    if not isinstance(settings, Mapping):
        raise CheckpointError(f'the model of {name} holds no {part}; give --config')
    own = dict(settings)
    own.pop('init_cfg', None)
    return own
