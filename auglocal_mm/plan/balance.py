"""Cuts that make the largest module as small as possible."""
from __future__ import annotations

from collections.abc import Callable
from functools import cache
from math import inf

#: (costs of the modules so far, largest first; where they end)
_Cut = tuple[tuple[float, ...], tuple[int, ...]]


def balanced_modules(units: int, modules: int,
                     cost: Callable[[int, int, int], float]) -> tuple[int, ...] | None:
    """Return the module of each unit, so that the largest module costs as little as possible.

    Among such cuts, the second largest module is as small as possible, and so on; among equal
    ones, earlier modules are shorter. The result is exact: every cut is considered, by dynamic
    programming.

    Args:
        units: Number N of units.
        modules: Number K of modules, 1 to N.
        cost: ``cost(module, start, stop)``, the cost of a module of the units from `start` up
            to, but not with, `stop`; infinite where there must be none.

    Returns:
        ``None`` if every cut has an infinite cost.
    """
    @cache
    def best(count: int, stop: int) -> _Cut:
        """Return the best cut of the first `stop` units into `count` modules."""
        if count == 0:
            return (), ()
        # At least one unit is left to each module before; the first one starts at unit 0.
        starts = range(count - 1, stop) if count > 1 else range(1)
        # A larger module after a cut's end never makes a worse beginning better, so the best
        # beginning stays the best: sorted costs are compared from the largest on.
        return min(_with(best(count - 1, start), cost(count - 1, start, stop), stop)
                   for start in starts)

    costs, ends = best(modules, units)
    if costs[0] == inf:
        return None
    return tuple(sum(end <= unit for end in ends) for unit in range(units))


def _with(cut: _Cut, cost: float, stop: int) -> _Cut:
    costs, ends = cut
    return tuple(sorted((*costs, cost), reverse=True)), (*ends, stop)
