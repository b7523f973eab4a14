"""Two surveys of the same families by different operators, side by side."""
from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any


def differences(ours: Mapping[str, Any], theirs: Mapping[str, Any]) -> dict[str, float]:
    """Return the largest relative difference of each family that both surveys trained.

    Losses of all steps and norms of gradients are compared. A difference is relative to
    the larger value, and to the step's total loss where a loss is below a thousandth of it.
    """
    other = {row['name']: row for row in theirs['families']}
    found = {}
    for row in ours['families']:
        pair = row, other.get(row['name'], {})
        if all(each.get('gradients') for each in pair):
            found[row['name']] = max(_differences(*pair))
    return found


def _differences(row: Mapping[str, Any], other: Mapping[str, Any]) -> Iterator[float]:
    for mine, its in zip(*(map(_losses, each['losses']) for each in (row, other)), strict=True):
        yield from _relative(mine, its, least=1e-3 * abs(mine.get('loss', 0.0)))
    yield from _relative(row['gradients'], other['gradients'], least=0.0)


def _losses(logged: Mapping[str, float]) -> dict[str, float]:
    """Leave out accuracies, which jump where a loss moves a little."""
    return {name: value for name, value in logged.items() if 'loss' in name}


def _relative(mine: Mapping[str, float], its: Mapping[str, float], *, least: float
              ) -> Iterator[float]:
    for name in mine.keys() | its.keys():
        if name not in mine or name not in its:
            yield float('inf')
            continue
        scale = max(abs(mine[name]), abs(its[name]), least)
        yield abs(mine[name] - its[name]) / scale if scale else 0.0
