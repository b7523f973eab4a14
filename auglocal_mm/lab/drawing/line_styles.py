"""Styles that tell lines apart: colour by rule; shade, dashes and marks within a rule."""
from collections.abc import Mapping, Sequence
from typing import Any

from matplotlib.colors import to_hex, to_rgb

from .chart import COLORS, NAMES

#: For names that do not start with a rule, in this order; also Okabe and Ito's.
_OTHERS = ('#56b4e9', '#009e73', '#e69f00', '#cc79a7', '#0072b2', '#d55e00', '#5b6570')
_DASHES: tuple[Any, ...] = ('-', (0, (5, 1.8)), (0, (1.2, 1.6)), (0, (6, 1.6, 1.2, 1.6)),
                            (0, (9, 3)))
_MARKS = ('o', 's', '^', 'D', 'v')
#: Largest share of white and of black, so that a shade still shows its colour.
_TINT, _SHADE = 0.45, 0.5


def rule_of(name: str) -> str | None:
    """Return the rule that a line's name begins with: ``auglocal`` for 'AugLocal d = 2'."""
    words = {word.lower(): rule for rule in NAMES for word in (rule, NAMES[rule])}
    found = [word for word in words if name.lower().startswith(word)
             and not name[len(word):len(word) + 1].isalpha()]
    return words[max(found, key=len)] if found else None


def line_styles(
    names: Sequence[str], *, colors: Mapping[str, str] | None = None,
    dashes: Mapping[str, Any] | None = None,
) -> dict[str, dict[str, Any]]:
    """Return the keywords of a matplotlib line for each name.

    Names that begin with a rule's name get its colour. Several lines of one rule go
    from light to dark in the given order, with different dashes and marks.

    Args:
        names: The lines, in order.
        colors: Line to colour, in place of the automatic choice.
        dashes: Line to dashes, in place of the automatic choice.
    """
    groups: dict[str, list[str]] = {}
    for name in names:
        groups.setdefault(rule_of(name) or name, []).append(name)
    strangers = [group for group in groups if group not in COLORS]
    styles = {}
    for group, members in groups.items():
        base = COLORS.get(group) or _OTHERS[strangers.index(group) % len(_OTHERS)]
        shades = shades_of(base, len(members))
        for number, (name, shade) in enumerate(zip(members, shades, strict=True)):
            styles[name] = {
                'color': (colors or {}).get(name, shade),
                'linestyle': (dashes or {}).get(name, _DASHES[number % len(_DASHES)]),
                'marker': _MARKS[number % len(_MARKS)],
            }
    return {name: styles[name] for name in names}


def shades_of(color: str, count: int) -> list[str]:
    """Return `count` shades of a colour, from light to dark; the colour itself for one."""
    if count == 1:
        return [color]
    return [_mixed(color, 1 - 2 * i / (count - 1)) for i in range(count)]


def _mixed(color: str, amount: float) -> str:
    """Mix the colour with white (amount up to 1) or with black (down to -1)."""
    other, share = (1.0, _TINT * amount) if amount > 0 else (0.0, -_SHADE * amount)
    return to_hex([value + (other - value) * share for value in to_rgb(color)])
