"""Accuracy by depth as a picture: one line per checkpoint, light to dark by epoch."""
from collections.abc import Sequence
from typing import Any

import matplotlib
from matplotlib.axes import Axes

from auglocal_mm.lab.curves.learning_curves import curves_height
from auglocal_mm.lab.drawing.chart import COLORS, STYLE, Chart, new_row
from auglocal_mm.lab.drawing.line_labels import LineEnd, label_ends
from auglocal_mm.lab.drawing.line_styles import rule_of, shades_of

from .depth_accuracy import DepthStudy
from .unit_axis import name_units, shown_units

#: Maximum number of named lines; of more, an even selection is named.
_NAMED = 10


def depth_chart(study: DepthStudy, *, color: str | None = None) -> Chart:
    """Draw auxiliary networks and linear probes side by side, whichever were measured.

    Args:
        study: What was measured.
        color: Colour of the lines; by default, that of the rule that the study's name
            begins with.

    Raises:
        ValueError: Nothing was measured.
    """
    panels = [(title, [getattr(each, kind) for each in study.checkpoints]) for kind, title in (
        ('heads', 'Auxiliary networks and head, top-1 (%)'),
        ('probes', f'Linear probes, top-1 (%) · {study.probe_images:,} training images'))]
    # A head alone, as after back-propagation, is not a curve.
    panels = [(title, lines) for title, lines in panels if any(len(line) > 1 for line in lines)]
    if not panels:
        raise ValueError(f'nothing was measured for {study.name}: it has no auxiliary networks; '
                         'ask for linear probes')
    color = color or COLORS.get(rule_of(study.name) or 'auglocal', COLORS['auglocal'])
    lines_drawn = min(len(study.checkpoints), _NAMED)
    with matplotlib.rc_context(STYLE):
        figure, row = new_row(len(panels), width=6.6 * len(panels),
                              height=curves_height(lines_drawn) + 0.5)
        for axes, (title, lines) in zip(row, panels, strict=True):
            _draw(axes, study, lines, color)
            axes.set_title(title)
        figure.suptitle(f'{study.name} · {study.test_images:,} test images', x=0.01, ha='left',
                        fontsize=11, color=STYLE['axes.labelcolor'])
    return Chart('depth', _alt(study), figure)


def _draw(axes: Axes, study: DepthStudy, lines: Sequence[dict[str, float]], color: str) -> None:
    named = set(shown_units(len(lines), _NAMED))
    ends = []
    for number, (shade, line) in enumerate(zip(shades_of(color, len(lines)), lines, strict=True)):
        if not line:
            continue
        style: dict[str, Any] = {'color': shade, 'linewidth': 1.7, 'marker': 'o', 'markersize': 4.4,
                 'markeredgecolor': 'white', 'markeredgewidth': 0.6}
        places = [study.units.index(unit) for unit in line]
        values = list(line.values())
        axes.plot(places, values, **style)
        if number in named:
            label = f'{study.checkpoints[number].label}  {values[-1]:.1f}'
            ends.append(LineEnd(places[-1], values[-1], label, style))
    axes.set_xlim(-0.5, len(study.units) - 0.5)
    name_units(axes, study.units)
    # Labels are placed by the final layout.
    axes.figure.canvas.figure.draw_without_rendering()
    label_ends(axes, ends)


def _alt(study: DepthStudy) -> str:
    parts = []
    for each in study.checkpoints:
        for kind, values in (('auxiliary networks', each.heads), ('linear probes', each.probes)):
            if values:
                first, last = list(values)[0], list(values)[-1]
                parts.append(f'{each.label}, {kind}: {values[first]:.1f} percent at {first}, '
                             f'{values[last]:.1f} at {last}')
    return f'Accuracy by depth of {study.name}. ' + '; '.join(parts) + '.'
