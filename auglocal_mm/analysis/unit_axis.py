"""An axis of units: their names, thinned where there are too many to read."""
from collections.abc import Sequence

from matplotlib.axes import Axes

#: So many names can be read along one axis.
_READABLE = 20


def shown_units(count: int, readable: int = _READABLE) -> list[int]:
    """Positions whose names are written: evenly spread, the first and the last always."""
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
