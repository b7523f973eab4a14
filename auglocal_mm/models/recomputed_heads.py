"""Neck and heads whose activations are computed a second time instead of being kept."""
from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial

from torch import nn

from auglocal_mm.auxiliary import recomputed


@contextmanager
def recomputed_heads(model: nn.Module) -> Iterator[None]:
    """Recompute the neck's and each head's forward pass inside a ``with`` block.

    A head's forward pass maps features to predictions. Its loss, with targets and sampling,
    runs once.
    """
    parts = [part for name, child in model.named_children() if name not in (
        'backbone', 'auxiliary', 'data_preprocessor') for part in _parts(child)]
    for part in parts:
        # An attribute of the object hides the class's method, and goes without a trace.
        part.__dict__['forward'] = partial(
            recomputed, part.forward, modules=partial(_only, part))
    try:
        yield
    finally:
        for part in parts:
            del part.__dict__['forward']


def _parts(child: nn.Module) -> list[nn.Module]:
    """Return a neck or a head; of a RoI head, its box and mask heads."""
    from mmdet.models.roi_heads.base_roi_head import BaseRoIHead

    if not isinstance(child, BaseRoIHead):
        return [child]
    heads = [getattr(child, name, None) for name in ('bbox_head', 'mask_head')]
    return [part for head in heads if head is not None
            for part in (head if isinstance(head, nn.ModuleList) else [head])]


def _only(part: nn.Module) -> list[nn.Module]:
    return [part]
