"""The demo's charts: BP and AugLocal, labels on the lines."""
from collections.abc import Mapping, Sequence

import matplotlib
from matplotlib.axes import Axes
from matplotlib.ticker import MaxNLocator

from auglocal_mm.lab.curves.curves import Series
from auglocal_mm.lab.drawing.chart import COLORS, NAMES, STYLE, Chart, new_figure

#: A line with at most this many values gets a mark for each.
_FEW = 12
#: BP is drawn below and wider, so that it shows where the two coincide.
LINE_WIDTHS = {'bp': 3.4, 'auglocal': 1.9}


def _label_ends(axes: Axes, ends: Mapping[str, tuple[float, float]], formatted: str) -> None:
    """Write each method's name and last value beside its line's end, never overlapping."""
    low, high = axes.get_ylim()
    gap = 0.11 * (high - low)
    ordered = sorted(ends.items(), key=lambda item: item[1][1])
    heights = [y for _, (_, y) in ordered]
    if len(heights) == 2 and heights[1] - heights[0] < gap:
        middle = sum(heights) / 2
        heights = [middle - gap / 2, middle + gap / 2]
        lift = max(0.0, low + gap / 3 - heights[0])
        heights = [height + lift for height in heights]
    for (method, (x, y)), height in zip(ordered, heights, strict=True):
        axes.annotate(
            f'{NAMES[method]} {formatted.format(y)}', xy=(x, height), xytext=(8, 0),
            textcoords='offset points', color=COLORS[method], va='center', ha='left',
            fontweight='bold', annotation_clip=False,
        )


def curves_chart(
    name: str, series: Mapping[str, Series], *, title: str, formatted: str,
    iterations_per_epoch: Mapping[str, float] | None = None, from_zero: bool = False,
) -> Chart:
    """Draw one quantity by epoch, one line per method.

    Args:
        name: The chart's name.
        series: Method to values; empty ones are left out.
        title: What the quantity is, with its unit.
        formatted: Format of the last value, e.g. ``{:.1f}``.
        iterations_per_epoch: Method to iterations in an epoch, if the steps are
            iterations.
        from_zero: Let the axis begin at 0.
    """
    ends = {}
    with matplotlib.rc_context(STYLE):
        figure, axes = new_figure(width=4.9, height=3.2)
        for method, line in series.items():
            if not len(line):
                continue
            scale = (iterations_per_epoch or {}).get(method, 1.0)
            epochs = [step / scale for step in line.steps]
            axes.plot(epochs, line.values, color=COLORS[method], linewidth=LINE_WIDTHS[method],
                      marker='o' if len(line) <= _FEW else None,
                      markersize=2.4 * LINE_WIDTHS[method])
            ends[method] = epochs[-1], line.last
        axes.set_title(title)
        axes.set_xlabel('epoch')
        axes.margins(x=0.02)
        axes.xaxis.set_major_locator(MaxNLocator(nbins=6, integer=True, min_n_ticks=1))
        if from_zero:
            axes.set_ylim(bottom=0)
        _label_ends(axes, ends, formatted)
    said = ' and '.join(f'{NAMES[method]} at {formatted.format(value)}'
                        for method, (_, value) in ends.items())
    return Chart(name, f'{title} by epoch; at the end {said or "no values"}.', figure)


def accuracy_by_depth(accuracy: Mapping[str, float], *, reference: float) -> Chart:
    """Draw the accuracy of each auxiliary network by depth, with BP's as a line.

    Args:
        accuracy: Unit name to percent, in depth order; the last is the head.
        reference: BP's final accuracy in percent.
    """
    names, values = list(accuracy), list(accuracy.values())
    with matplotlib.rc_context(STYLE):
        figure, axes = new_figure(width=9.6, height=3.6)
        axes.axhline(reference, color=COLORS['bp'], linewidth=1.9, linestyle=(0, (5, 3)))
        axes.plot(range(len(names)), values, color=COLORS['auglocal'], marker='o', markersize=6)
        axes.set_xticks(range(len(names)), names, rotation=40, ha='right')
        low = min([*values, reference])
        span = max(100 - low, 2.0)
        axes.set_ylim(low - 0.12 * span, 100 + 0.08 * span)
        axes.set_xlim(-0.4, len(names) - 0.6)
        axes.set_title('Accuracy on the test digits (%), by depth')
        axes.annotate(f'{values[0]:.1f}', xy=(0, values[0]), xytext=(-4, 9),
                      textcoords='offset points', color=COLORS['auglocal'], fontweight='bold')
        end = len(names) - 0.6
        _label_ends(axes, {'bp': (end, reference), 'auglocal': (end, values[-1])}, '{:.1f}')
    alt = (f'Accuracy of the classifier at each of {len(names)} depths, from '
           f'{values[0]:.1f} percent at {names[0]} to {values[-1]:.1f} percent at the head; '
           f'the network trained by BP reaches {reference:.1f} percent.')
    return Chart('depth', alt, figure)


def memory_bars(saved_mb: Mapping[str, float]) -> Chart:
    """Draw the saved activations of each method as bars with their values.

    Args:
        saved_mb: Method to mebibytes.
    """
    methods: Sequence[str] = list(saved_mb)
    with matplotlib.rc_context({**STYLE, 'axes.grid': False, 'axes.spines.left': False,
                                'axes.spines.bottom': False}):
        figure, axes = new_figure(width=7.2, height=1.5)
        for row, method in enumerate(methods):
            axes.barh(row, saved_mb[method], height=0.62, color=COLORS[method])
            axes.annotate(f'{saved_mb[method]:.1f} MiB', xy=(saved_mb[method], row),
                          xytext=(8, 0), textcoords='offset points', va='center',
                          fontweight='bold', annotation_clip=False)
        axes.set_yticks(range(len(methods)), [NAMES[method] for method in methods])
        for tick, method in zip(axes.get_yticklabels(), methods, strict=True):
            tick.set_color(COLORS[method])
            tick.set_fontweight('bold')
        axes.set_xticks([])
        axes.invert_yaxis()
        # Room for the value beside the longest bar.
        axes.set_xlim(0, 1.12 * max(saved_mb.values()))
    alt = 'Saved activations of one training step: ' + ', '.join(
        f'{NAMES[method]} {value:.1f} MiB' for method, value in saved_mb.items()) + '.'
    return Chart('memory', alt, figure)
