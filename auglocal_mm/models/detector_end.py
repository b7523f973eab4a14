"""What follows a detector's backbone, part by part, to count what it costs."""
from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from typing import Any

import torch
from torch import nn

#: Heads that map the neck's feature maps to predictions at every position.
DENSE_HEADS = ('rpn_head', 'bbox_head', 'mask_head')


def detector_end(model: Any, outputs: tuple[Any, ...]) -> Iterator[Callable[[], Any]]:
    """Yield the neck, and the forward pass of each head, each to be called before the next.

    Which regions a detector proposes, and so what its losses keep, is known in training only.
    A region head gets as many regions as its sampler takes, and a mask head as many as it takes
    objects at most.

    Args:
        model: A detector.
        outputs: What its backbone returns.
    """
    maps: list[Any] = [outputs]
    if getattr(model, 'neck', None) is not None:
        yield lambda: maps.append(model.neck(outputs))
    for name in DENSE_HEADS:
        head = getattr(model, name, None)
        if head is not None:
            yield partial(head, maps[-1])
    regions = getattr(model, 'roi_head', None)
    if regions is not None:
        yield from _region_heads(regions, len(outputs[0]))


def _region_heads(regions: Any, images: int) -> Iterator[Callable[[], Any]]:
    for kind in ('bbox', 'mask'):
        heads = _several(getattr(regions, f'{kind}_head', None))
        # A mask head that shares its extractor with the boxes reads what the box head reads.
        extractors = _several(getattr(regions, f'{kind}_roi_extractor', None))
        settings = _several(regions.train_cfg)
        for head, extractor, setting in zip(heads, extractors, settings, strict=False):
            count = images * _regions(setting, objects=kind == 'mask')
            yield partial(_run, head, extractor, count)


def _several(value: Any) -> Sequence[Any]:
    if isinstance(value, (nn.ModuleList, list, tuple)):
        return list(value)
    return [] if value is None else [value]


def _regions(setting: Mapping[str, Any], *, objects: bool) -> int:
    sampler = setting['sampler']
    return int(sampler['num'] * (sampler.get('pos_fraction', 1.0) if objects else 1))


def _run(head: nn.Module, extractor: Any, count: int) -> Any:
    size = extractor.roi_layers[0].output_size
    return head(torch.empty(count, extractor.out_channels, *size))
