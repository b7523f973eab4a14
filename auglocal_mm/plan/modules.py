"""Which local module each unit belongs to."""
from __future__ import annotations


def isolated_modules(units: int, blocks: int) -> tuple[int, ...]:
    """Return the module of each unit: one unit each, the last b + 1 units together.

    Section 4.1: the units that an auxiliary network of b blocks would only
    repeat are trained end to end with the real head, so K = N − b.
    """
    return tuple(min(unit, units - blocks - 1) for unit in range(units))


def even_modules(units: int, modules: int) -> tuple[int, ...]:
    """Return the module of each unit: K runs, lengths differing by at most 1, longer last."""
    # Longer runs come last: features are smaller there, so an additional unit costs less memory.
    bounds = [index * units // modules for index in range(modules + 1)]
    return tuple(module for module in range(modules)
                 for _ in range(bounds[module], bounds[module + 1]))


def whole_module(units: int) -> tuple[int, ...]:
    """Return the module of each unit: one for all, which is back-propagation."""
    return (0,) * units
