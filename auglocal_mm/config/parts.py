"""Where a model's config keeps its own parts: backbone, neck and heads."""
from __future__ import annotations

from collections.abc import Mapping
from typing import Any


def parts_of(model: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return the dict that holds the backbone, the neck and the heads of a model.

    A local detector has them beside its own settings
    (``detector='MaskRCNN', backbone=…``) or inside ``detector=dict(type='MaskRCNN',
    backbone=…)``. Every other model has them in its config itself.

    Args:
        model: ``cfg.model``.
    """
    detector = model.get('detector')
    return detector if isinstance(detector, Mapping) and 'backbone' not in model else model
