"""An axis of units: their names, thinned out if there are too many to read."""
from collections.abc import Sequence

from matplotlib.axes import Axes

#: Maximum number of names that are readable along one axis.
_READABLE = 20


def shown_units(count: int, readable: int = _READABLE) -> list[int]:
    """Select the positions to name: evenly spread, always with the first and the last."""
    if count <= readable:
        return list(range(count))
    return sorted({round(i * (count - 1) / (readable - 1)) for i in range(readable)})


def name_units(axes: Axes, names: Sequence[str], *, x: bool = True, y: bool = False) -> None:
    """Write the units' names along one axis or both."""
    shown = shown_units(len(names))
    labels = [names[i] for i in shown]
    if x:
        axes.set_xticks(shown, labels, rotation=45, ha='right', rotation_mode='anchor', fontsize=9)
    if y:
        axes.set_yticks(shown, labels, fontsize=9)
