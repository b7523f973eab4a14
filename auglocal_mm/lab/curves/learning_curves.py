"""Learning curves of several runs in one picture; seeds as a mean with a band."""
from collections.abc import Mapping, Sequence
from typing import Any

import matplotlib
import numpy as np
from matplotlib.axes import Axes
from matplotlib.ticker import FuncFormatter, LogLocator, MaxNLocator, NullFormatter

from auglocal_mm.lab.drawing.chart import STYLE, Chart, new_figure
from auglocal_mm.lab.drawing.line_labels import LineEnd, label_ends
from auglocal_mm.lab.drawing.line_styles import line_styles

from .curves import Series

#: Approximate number of marks per line, whatever its number of values.
_MARKS = 8
#: Number of labels that fit beside a chart of the usual height.
_FITTING = 12


def learning_curves_chart(
    name: str, runs: Mapping[str, Sequence[Series]], *, title: str, formatted: str,
    log: bool = False, crop: float = 0.0, colors: Mapping[str, str] | None = None,
    dashes: Mapping[str, Any] | None = None, xlabel: str = 'epoch', width: float = 6.4,
) -> Chart:
    """Draw one quantity by epoch, one line per entry.

    Args:
        name: The chart's name.
        runs: Label to the values of its runs (seeds) over epochs; several are
            drawn as their mean with a band from the lowest to the highest. Empty
            series are left out. A label that begins with a rule's name gets that
            rule's colour; see :func:`~auglocal_mm.lab.drawing.line_styles.line_styles`.
        title: What the quantity is, with its unit.
        formatted: Format of the last value, e.g. ``{:.1f}``.
        log: Logarithmic axis; values that are not positive are left out.
        crop: Share of the epochs, at the start, whose low values the axis need not
            show.
        colors, dashes: Label to colour and to dashes, in place of the automatic
            choice.
        xlabel: Unit of the steps.
        width: Inches.
    """
    with matplotlib.rc_context(STYLE):
        figure, axes = new_figure(width=width, height=curves_height(len(runs)))
        said = draw_learning_curves(axes, runs, formatted=formatted, log=log, crop=crop,
                                    styles=line_styles(list(runs), colors=colors, dashes=dashes))
        axes.set_title(title)
        axes.set_xlabel(xlabel)
    return Chart(name, f'{title} by {xlabel}; at the end {said or "no values"}.', figure)


def curves_height(lines: int) -> float:
    """Return the height in inches that a chart with this many labelled lines needs."""
    return 3.6 + 0.2 * max(0, lines - _FITTING)


def draw_learning_curves(
    axes: Axes, runs: Mapping[str, Sequence[Series]], *, formatted: str,
    styles: Mapping[str, Mapping[str, Any]], log: bool = False, crop: float = 0.0,
) -> str:
    """Draw lines, bands and labels as :func:`learning_curves_chart` does.

    Returns:
        The last values in words.
    """
    if log:
        axes.set_yscale('log')
    ends, said, lowest = [], [], []
    for number, (label, seeds) in enumerate(runs.items()):
        band = mean_and_range(seeds, positive=log)
        if band is None:
            continue
        epochs, mean, low, high = band
        style = dict(styles[label])
        if len(seeds) > 1:
            axes.fill_between(epochs, low, high, color=style['color'], alpha=0.16, linewidth=0)
        style.update(linewidth=1.7, markersize=4.8, markeredgecolor='white', markeredgewidth=0.6)
        axes.plot(epochs, mean, **style, markevery=_marked(len(epochs), number, len(runs)))
        value = formatted.format(mean[-1])
        shown = f'{label}  {value}' + (f'  (n = {len(seeds)})' if len(seeds) > 1 else '')
        ends.append(LineEnd(float(epochs[-1]), float(mean[-1]), shown, style))
        said.append(f'{label} {value}' + (f' (mean of {len(seeds)})' if len(seeds) > 1 else ''))
        late = epochs >= epochs[0] + crop * (epochs[-1] - epochs[0])
        lowest.append(float(low[late].min()))
    axes.margins(x=0.02)
    axes.xaxis.set_major_locator(MaxNLocator(nbins=6, integer=True, min_n_ticks=1))
    if lowest and crop and not log:
        _crop(axes, min(lowest))
    if log:
        _plain_log_ticks(axes)
    if ends:
        axes.figure.canvas.figure.draw_without_rendering()  # fixes the layout for placing labels
        label_ends(axes, ends)
    return ', '.join(said)


def mean_and_range(
    seeds: Sequence[Series], *, positive: bool = False,
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray] | None:
    """Return mean, lowest and highest value of several runs, over their common steps.

    Args:
        seeds: The runs; where their steps differ, values are interpolated.
        positive: Leave out values that are not above 0, which a logarithmic axis
            cannot show.

    Returns:
        Steps, means, lowest and highest values, or ``None`` if there are no values.
    """
    points = [_points(series, positive=positive) for series in seeds]
    points = [(steps, values) for steps, values in points if len(steps)]
    if not points:
        return None
    first = max(steps[0] for steps, _ in points)
    last = min(steps[-1] for steps, _ in points)
    grid = np.unique(np.concatenate([steps for steps, _ in points]))
    grid = grid[(grid >= first) & (grid <= last)]
    if not len(grid):
        return None
    values = np.stack([np.interp(grid, steps, each) for steps, each in points])
    return grid, values.mean(axis=0), values.min(axis=0), values.max(axis=0)


def _points(series: Series, *, positive: bool) -> tuple[np.ndarray, np.ndarray]:
    steps, values = np.asarray(series.steps, float), np.asarray(series.values, float)
    kept = values > 0 if positive else np.isfinite(values)
    return steps[kept], values[kept]


def _marked(count: int, number: int, lines: int) -> tuple[int, int]:
    """Return first mark and spacing, so that marks of close lines do not coincide."""
    every = max(1, count // _MARKS)
    return number * every // max(1, lines), every


def _crop(axes: Axes, lowest: float) -> None:
    top = axes.dataLim.y1
    room = 0.06 * (top - lowest)
    if room > 0 and lowest - room > axes.get_ylim()[0]:
        axes.set_ylim(lowest - room, top + room)


def _plain_log_ticks(axes: Axes) -> None:
    """Label 1, 0.1 and so on in plain numbers, with 2 and 5 between if there is room."""
    low, high = axes.get_ylim()
    subs = (1.0,) if high / low > 300 else (1.0, 2.0, 5.0) if high / low > 3 else (
        1.0, 1.5, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0, 8.0, 9.0)
    axes.yaxis.set_major_locator(LogLocator(subs=subs))
    axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f'{value:g}'))
    axes.yaxis.set_minor_formatter(NullFormatter())
