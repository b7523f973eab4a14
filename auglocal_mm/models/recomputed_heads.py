"""Neck and heads whose activations are computed a second time instead of being kept."""
from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

from torch import nn

from auglocal_mm.auxiliary import recomputed

#: Children of a model that are no part of its last module's end.
OTHERS = ('backbone', 'auxiliary', 'data_preprocessor')


@contextmanager
def recomputed_heads(model: nn.Module) -> Iterator[None]:
    """Recompute the forward pass of the neck and of each head inside a ``with`` block.

    A head's forward pass maps features to predictions. Its loss, with targets and sampling,
    runs once.
    """
    with ExitStack() as stack:
        for part in _parts(model):
            stack.enter_context(_recomputed(part))
        yield


@contextmanager
def _recomputed(part: nn.Module) -> Iterator[None]:
    """Recompute one module; an attribute of the object hides its class's method meanwhile."""
    before, run = vars(part).get('forward'), part.forward

    def forward(*inputs: Any, **named: Any) -> Any:
        return recomputed(run, inputs, named, modules=lambda: [part])

    part.__dict__['forward'] = forward
    try:
        yield
    finally:
        if before is None:
            del part.__dict__['forward']
        else:
            part.__dict__['forward'] = before


def _parts(model: nn.Module) -> list[nn.Module]:
    """Return necks and heads, each once; of a RoI head, the heads that it consists of."""
    from mmdet.models.roi_heads.base_roi_head import BaseRoIHead

    found: dict[int, nn.Module] = {}

    def add(name: str, part: nn.Module) -> None:
        if isinstance(part, (BaseRoIHead, nn.ModuleList)):
            for inner, child in part.named_children():
                add(inner if isinstance(part, BaseRoIHead) else name, child)
        # Extractors make small maps of large ones; there is little to save.
        elif not name.endswith('_extractor'):
            found[id(part)] = part

    for name, child in model.named_children():
        if name not in OTHERS:
            add(name, child)
    return list(found.values())
