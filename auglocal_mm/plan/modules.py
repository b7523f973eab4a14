"""Which local module each unit belongs to."""
from __future__ import annotations

from collections.abc import Sequence

from .unit import UnitSpec


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


def stage_ends(units: Sequence[UnitSpec]) -> tuple[str, ...]:
    """Return the name of each stage's last unit."""
    return tuple(unit.name for unit, after in zip(units, [*units[1:], None], strict=True)
                 if after is None or after.stage != unit.stage)


def modules_ending_at(names: Sequence[str], units: Sequence[UnitSpec]) -> tuple[int, ...]:
    """Return the module of each unit: runs that end at the named units, and the rest.

    Args:
        names: Names of units in depth order; the last unit's may be left out.
        units: All units.

    Raises:
        ValueError: A name is not a unit's, or the names are not in depth order.
    """
    known = [unit.name for unit in units]
    unknown = [name for name in names if name not in known]
    if unknown:
        raise ValueError(f'modules must name units where modules end, got {unknown[0]!r}; the '
                         f'units are {", ".join(known)}')
    ends = [known.index(name) for name in names]
    if ends != sorted(set(ends)) or not ends:
        raise ValueError(f'modules must name different units in depth order, got {list(names)}')
    if ends == [len(units) - 1]:
        raise ValueError(f'modules names the last unit, {names[0]!r}, alone, where the last module '
                         'ends anyway; name earlier units')
    return tuple(sum(end < unit for end in ends) for unit in range(len(units)))
