"""The one walk over a config: every dict in it, and every data set inside wrappers."""
from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any


def dicts_in(node: Any, place: str = '') -> Iterator[tuple[str, Mapping[str, Any]]]:
    """Yield every dict in a config or a part of it with its dotted key, outer ones first.

    Args:
        node: Dicts, lists, tuples, sets and anything else, which is passed over.
        place: Dotted key of the part; empty for a whole config.
    """
    if isinstance(node, Mapping):
        yield place, node
        children = [*node.items()]
    elif isinstance(node, (list, tuple, set)):
        children = [*enumerate(node)]
    else:
        return
    for key, value in children:
        yield from dicts_in(value, f'{place}.{key}' if place else str(key))


def datasets_in(dataset: Any, place: str) -> Iterator[tuple[str, Any]]:
    """Yield the data sets inside any nesting of wrappers, each with its dotted key.

    Args:
        dataset: What a dataloader names; without a dict, there is nothing to yield.
        place: Its dotted key.
    """
    if not isinstance(dataset, Mapping):
        return
    if 'dataset' in dataset:
        yield from datasets_in(dataset['dataset'], f'{place}.dataset')
    elif dataset.get('datasets') is not None:
        for index, each in enumerate(dataset['datasets']):
            yield from datasets_in(each, f'{place}.datasets.{index}')
    else:
        yield place, dataset
