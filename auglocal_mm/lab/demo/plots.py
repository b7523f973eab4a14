"""The demo's charts: a colour for each training, labels on the lines."""
from collections.abc import Mapping, Sequence

import matplotlib
from matplotlib.axes import Axes
from matplotlib.ticker import MaxNLocator

from auglocal_mm.lab.curves.curves import Series
from auglocal_mm.lab.drawing.chart import STYLE, Chart, new_figure
from auglocal_mm.lab.drawing.line_labels import spread

from .trainings import CLASSIFIERS, Training

#: A line with at most this many values gets a mark for each.
_FEW = 12
#: Height of a line of text, as a share of the axes' height.
_LINE_SHARE = 0.11


def _label_ends(axes: Axes, ends: Sequence[tuple[Training, float, float]], formatted: str) -> None:
    """Write each training's name and last value beside its line's end, never overlapping."""
    # A long name takes two lines, so that it leaves room for the chart.
    texts = [f'{training.name.replace(", ", f",{chr(10)}")} {formatted.format(y)}'
             for training, _, y in ends]
    low, high = axes.get_ylim()
    gap = _LINE_SHARE * max((text.count('\n') + 1 for text in texts), default=1) * (high - low)
    heights = spread([y for _, _, y in ends], gap=gap, low=low + gap / 3, high=high)
    for (training, x, _), text, height in zip(ends, texts, heights, strict=True):
        axes.annotate(
            text, xy=(x, height), xytext=(8, 0), textcoords='offset points',
            color=training.color, va='center', ha='left', fontweight='bold',
            annotation_clip=False)


def curves_chart(
    name: str, trainings: Sequence[Training], series: Mapping[str, Series], *, title: str,
    formatted: str, iterations_per_epoch: Mapping[str, float] | None = None,
    from_zero: bool = False,
) -> Chart:
    """Draw one quantity by epoch, one line per training.

    Args:
        name: The chart's name.
        trainings: Whose lines.
        series: Method to values; empty ones are left out.
        title: What the quantity is, with its unit.
        formatted: Format of the last value, e.g. ``{:.1f}``.
        iterations_per_epoch: Method to iterations in an epoch, if the steps are
            iterations.
        from_zero: Let the axis begin at 0.
    """
    ends = []
    with matplotlib.rc_context(STYLE):
        figure, axes = new_figure(width=4.9, height=3.2)
        for training in trainings:
            line = series[training.method]
            if not len(line):
                continue
            scale = (iterations_per_epoch or {}).get(training.method, 1.0)
            epochs = [step / scale for step in line.steps]
            axes.plot(epochs, line.values, color=training.color, linewidth=training.width,
                      marker='o' if len(line) <= _FEW else None, markersize=2.4 * training.width)
            ends.append((training, epochs[-1], line.last))
        axes.set_title(title)
        axes.set_xlabel('epoch')
        axes.margins(x=0.02)
        axes.xaxis.set_major_locator(MaxNLocator(nbins=6, integer=True, min_n_ticks=1))
        if from_zero:
            axes.set_ylim(bottom=0)
        _label_ends(axes, ends, formatted)
    said = ' and '.join(f'{training.name} at {formatted.format(value)}'
                        for training, _, value in ends)
    return Chart(name, f'{title} by epoch; at the end {said or "no values"}.', figure)


def accuracy_by_depth(accuracy: Mapping[str, float], *, reference: float) -> Chart:
    """Draw the accuracy of each auxiliary network by depth, with BP's as a line.

    Args:
        accuracy: Unit name to percent, in depth order; the last is the head.
        reference: BP's final accuracy in percent.
    """
    names, values = list(accuracy), list(accuracy.values())
    bp, auglocal = CLASSIFIERS
    with matplotlib.rc_context(STYLE):
        figure, axes = new_figure(width=9.6, height=3.6)
        axes.axhline(reference, color=bp.color, linewidth=1.9, linestyle=(0, (5, 3)))
        axes.plot(range(len(names)), values, color=auglocal.color, marker='o', markersize=6)
        axes.set_xticks(range(len(names)), names, rotation=40, ha='right')
        low = min([*values, reference])
        span = max(100 - low, 2.0)
        axes.set_ylim(low - 0.12 * span, 100 + 0.08 * span)
        axes.set_xlim(-0.4, len(names) - 0.6)
        axes.set_title('Accuracy on the test digits (%), by depth')
        axes.annotate(f'{values[0]:.1f}', xy=(0, values[0]), xytext=(-4, 9),
                      textcoords='offset points', color=auglocal.color, fontweight='bold')
        end = len(names) - 0.6
        _label_ends(axes, [(bp, end, reference), (auglocal, end, values[-1])], '{:.1f}')
    alt = (f'Accuracy of the classifier at each of {len(names)} depths, from '
           f'{values[0]:.1f} percent at {names[0]} to {values[-1]:.1f} percent at the head; '
           f'the network trained by BP reaches {reference:.1f} percent.')
    return Chart('depth', alt, figure)


def memory_bars(name: str, trainings: Sequence[Training], saved_mb: Mapping[str, float]) -> Chart:
    """Draw the saved activations of each training as bars with their values.

    Args:
        name: The chart's name.
        trainings: Whose bars.
        saved_mb: Method to mebibytes.
    """
    with matplotlib.rc_context({**STYLE, 'axes.grid': False, 'axes.spines.left': False,
                                'axes.spines.bottom': False}):
        figure, axes = new_figure(width=7.2, height=0.1 + 0.7 * len(trainings))
        for row, training in enumerate(trainings):
            value = saved_mb[training.method]
            axes.barh(row, value, height=0.62, color=training.color)
            axes.annotate(f'{value:.1f} MiB', xy=(value, row), xytext=(8, 0),
                          textcoords='offset points', va='center', fontweight='bold',
                          annotation_clip=False)
        axes.set_yticks(range(len(trainings)), [each.name for each in trainings])
        for tick, training in zip(axes.get_yticklabels(), trainings, strict=True):
            tick.set_color(training.color)
            tick.set_fontweight('bold')
        axes.set_xticks([])
        axes.invert_yaxis()
        # Room for the value beside the longest bar.
        axes.set_xlim(0, 1.12 * max(saved_mb.values()))
    alt = 'Saved activations of one training step: ' + ', '.join(
        f'{each.name} {saved_mb[each.method]:.1f} MiB' for each in trainings) + '.'
    return Chart(name, alt, figure)
