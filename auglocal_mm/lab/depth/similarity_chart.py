"""Similarity of two networks as a heat map, unit by unit."""
import matplotlib

from auglocal_mm.lab.drawing.chart import MUTED, STYLE, Chart, new_figure

from .similarity import Similarity
from .unit_axis import name_units

#: Perceptually uniform, and readable without colour.
_MAP = 'viridis'


def similarity_chart(similarity: Similarity, *, rows: str, columns: str) -> Chart:
    """Draw the heat map, its scale, and a summary below.

    Args:
        similarity: The measured values.
        rows: Name of the network whose units are the rows.
        columns: Name of the other network.
    """
    side = 3.4 + 0.1 * min(20, max(len(similarity.rows), len(similarity.columns)))
    with matplotlib.rc_context({**STYLE, 'axes.grid': False, 'axes.spines.left': False,
                                'axes.spines.bottom': False}):
        figure, axes = new_figure(width=side + 1.0, height=side + 0.3)
        image = axes.imshow(similarity.values, cmap=_MAP, vmin=0, vmax=1, origin='lower',
                            interpolation='nearest')
        name_units(axes, similarity.columns)
        name_units(axes, similarity.rows, x=False, y=True)
        axes.set_xlabel(columns)
        axes.set_ylabel(rows)
        axes.set_title(f'Linear CKA on {similarity.images:,} images')
        scale = figure.colorbar(image, ax=axes, fraction=0.05, pad=0.03, ticks=[0, 0.25, 0.5, 0.75,
                                                                               1])
        scale.outline.set_visible(False)  # type: ignore[operator]
        figure.supxlabel(summary(similarity), fontsize=9, color=MUTED, x=0.02, ha='left')
    alt = (f'Heat map of linear CKA between the units of {rows} and of {columns} on '
           f'{similarity.images} images. {summary(similarity)}'.replace('\n', ' '))
    return Chart('similarity', alt, figure)


def summary(similarity: Similarity) -> str:
    """Describe the diagonal (or each row's best match, if units differ) and the chance level."""
    pairs = similarity.diagonal
    what = 'Same unit'
    if pairs is None:
        pairs = {name: max(row) for name, row in
                 zip(similarity.rows, similarity.values, strict=True)}
        what = 'Best match of a unit'
    lowest = min(pairs, key=lambda name: pairs[name])
    mean = sum(pairs.values()) / len(pairs)
    return (f'{what}: mean {mean:.2f}, lowest {pairs[lowest]:.2f} at {lowest}.\n'
            f'Unrelated features would give {similarity.mean_chance:.2f}.')
