"""Where a model's config keeps its own parts: backbone, neck, heads, data preprocessor."""
from __future__ import annotations

from collections.abc import Mapping
from typing import Any


def place_of_parts(model: Mapping[str, Any]) -> str:
    """Return the dotted key of the dict that :func:`parts_of` returns."""
    inside = isinstance(model.get('detector'), Mapping) and 'backbone' not in model
    return 'model.detector' if inside else 'model'


def parts_of(model: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return the dict that holds the backbone, the neck and the heads of a model.

    A local detector has them beside its own settings
    (``detector='MaskRCNN', backbone=…``) or inside ``detector=dict(type='MaskRCNN',
    backbone=…)``. Every other model has them in its config itself.

    Args:
        model: ``cfg.model``.
    """
    return model if place_of_parts(model) == 'model' else model['detector']


def with_preprocessor(cfg: Mapping[str, Any]) -> dict[str, Any]:
    """Return a copy of ``cfg.model`` with the config's data preprocessor, as a runner builds it.

    A model's own data preprocessor, wherever it stands, comes first.

    Args:
        cfg: A config with a ``model``.
    """
    model = dict(cfg['model'])
    if cfg.get('data_preprocessor') is not None and all(
            part.get('data_preprocessor') is None for part in (model, parts_of(model))):
        model['data_preprocessor'] = cfg['data_preprocessor']
    return model
