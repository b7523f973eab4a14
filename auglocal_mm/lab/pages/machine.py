"""The machines and versions that a result comes from, in words."""
from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any


def distinct(items: Sequence[Any]) -> list[Any]:
    """Return each item once, in order of appearance."""
    # Not a set, because dicts have no hash.
    return [item for index, item in enumerate(items) if item not in items[:index]]


def machine(result: Mapping[str, Any]) -> list[str]:
    """Describe ``hardware`` and ``versions`` of a result, one line each."""
    lines = []
    for each in result['hardware']:
        memory = f', {each["memory_gib"]} GiB' if 'memory_gib' in each else ''
        lines.append(f'{each["cpu"]}, {each["cores"]} cores{memory}, '
                     f'{each.get("accelerator") or "no GPU"}')
    lines += [' · '.join(f'{name} {number}' for name, number in each.items())
              for each in result['versions']]
    return lines
