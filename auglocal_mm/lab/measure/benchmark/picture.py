"""The benchmark as a picture: memory against time, one labelled point per row."""
from __future__ import annotations

from collections.abc import Iterator, Sequence

import matplotlib
from matplotlib.axes import Axes
from matplotlib.text import Annotation, Text
from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter
from matplotlib.transforms import Bbox

from auglocal_mm.lab.drawing.chart import COLORS, INK, MUTED, STYLE, Chart, new_figure

from .presets import LABELS
from .row import Row, quartiles

#: Candidate distances of a label from its point, in points, nearest first.
_DISTANCES = (9, 15, 22, 30, 40, 52, 66)
_DIRECTIONS = ((1, 0), (-1, 0), (0, -1), (0, 1), (0.8, -0.8), (0.8, 0.8), (-0.8, -0.8), (-0.8, 0.8))
#: From this distance on, a line connects label and point.
_LEADER_FROM = 15
_OURS = 'time_ratio', 'made_ratio'
_PAPER = 'paper_time_ratio', 'paper_memory_ratio'


def memory_time(rows: Sequence[Row]) -> Chart:
    """Draw what a step makes and holds against its time, as multiples of the reference's.

    Args:
        rows: At least one with figures; rows without figures are left out.

    Raises:
        ValueError: No row has figures.
    """
    done = [row for row in rows if row.error is None]
    if not done:
        raise ValueError('a picture needs at least 1 row with figures, got 0')
    ours = [_ratio(row, *_OURS) for row in done]
    paper = [_ratio(row, *_PAPER) for row in done if row.paper]
    colors = [COLORS[row.method] if row.method else INK for row in done]
    with matplotlib.rc_context({**STYLE, 'axes.grid.axis': 'both'}):
        figure, axes = new_figure(width=9.4, height=6.4)
        _scale(axes, [*ours, *paper])
        for row, color in zip(done, colors, strict=True):
            _draw(axes, row, color)
        reference = _name(next(row for row in done if row.name == done[0].reference))
        axes.set_title(f'Memory and time of a training step, as multiples of {reference}')
        axes.set_xlabel('seconds per step')
        axes.set_ylabel('activations and gradients at the peak')
        if paper:
            axes.plot([], [], 'o', color=MUTED, markersize=9, label='measured here')
            axes.plot([], [], 'o', color='none', markeredgecolor=MUTED, alpha=0.6, markersize=7,
                      label='paper: GPU memory at batch 1024')
            axes.legend(loc='upper right', frameon=False, labelcolor=MUTED)
        figure.canvas.draw()
        figure.set_layout_engine('none')  # labels need axes that no longer move
        _place_labels(axes, done, colors, [*ours, *paper])
    said = '; '.join(f'{row.name} {memory:.3f} of the memory in {seconds:.2f} times the time'
                     for row, (seconds, memory) in zip(done, ours, strict=True))
    return Chart('memory_time', f'Activations, gradients and time of a training step, as multiples '
                 f'of those of {done[0].reference}: {said}.', figure)


def _ratio(row: Row, *keys: str) -> tuple[float, ...]:
    return tuple(float(row.ratios[key] or 0.0) for key in keys)


def _spread(row: Row) -> tuple[float, float]:
    """Return the quartiles of a row's steps, as multiples of the reference's median."""
    multiple = _ratio(row, 'time_ratio')[0] / row.step_seconds
    first, third = quartiles(row.seconds)
    return first * multiple, third * multiple


def _scale(axes: Axes, points: Sequence[tuple[float, ...]]) -> None:
    """Set logarithmic axes with room for labels around all points, and a few plain ticks."""
    axes.set_xscale('log')
    axes.set_yscale('log')
    for axis, values, set_limits in (
            (axes.xaxis, [point[0] for point in points], axes.set_xlim),
            (axes.yaxis, [point[1] for point in points], axes.set_ylim)):
        set_limits(min(values) / 1.5, max(values) * 1.6)
        axis.set_major_locator(LogLocator(subs=(1, 1.5, 2, 3, 4, 6) if axis is axes.xaxis
                                          else (1, 2, 5)))
        axis.set_major_formatter(FuncFormatter(lambda value, _: f'{value:g}'))
        axis.set_minor_formatter(NullFormatter())
        axis.set_minor_locator(LogLocator(subs=()))


def _draw(axes: Axes, row: Row, color: str) -> None:
    """Draw our point with the quartiles of its time, and the paper's hollow point, linked."""
    seconds, memory = _ratio(row, *_OURS)
    first, third = _spread(row)
    if row.paper:
        theirs = _ratio(row, *_PAPER)
        if theirs != (seconds, memory):
            axes.plot([seconds, theirs[0]], [memory, theirs[1]], color=color, alpha=0.25,
                      linewidth=1)
        axes.plot(*theirs, 'o', color='white', markeredgecolor=color, alpha=0.6, markersize=7)
    axes.plot([first, third], [memory, memory], color=color, linewidth=2, alpha=0.6)
    axes.plot(seconds, memory, 'o', color=color, markersize=9)


def _place_labels(axes: Axes, rows: Sequence[Row], colors: Sequence[str],
                  points: Sequence[tuple[float, ...]]) -> None:
    """Write each name where it covers no point and no other name."""
    taken = [_around(axes, point) for point in points]
    taken += [_bar(axes, row) for row in rows]
    legend = axes.get_legend()
    if legend is not None:
        taken.append(legend.get_window_extent())
    for row, color in zip(rows, colors, strict=True):
        point = _ratio(row, *_OURS)
        best: tuple[float, Annotation, Bbox] | None = None
        for distance, offset in _offsets():
            label = _label(axes, _name(row), point, offset, color, leader=distance >= _LEADER_FROM)
            box = text_box(label).padded(2)
            covered = _covered(axes, box, taken)
            if best is not None and covered >= best[0]:
                label.remove()
                continue
            if best is not None:
                best[1].remove()
            best = covered, label, box
            if covered == 0:
                break
        assert best is not None
        taken.append(best[2])


def _offsets() -> Iterator[tuple[int, tuple[float, float]]]:
    for distance in _DISTANCES:
        for x, y in _DIRECTIONS:
            yield distance, (x * distance, y * distance)


def _label(axes: Axes, text: str, point: tuple[float, ...], offset: tuple[float, float],
           color: str, *, leader: bool) -> Annotation:
    x, y = offset
    return axes.annotate(
        text, xy=(point[0], point[1]), xytext=offset, textcoords='offset points', color=INK,
        fontsize=10, ha='left' if x > 0 else 'right' if x < 0 else 'center',
        va='bottom' if y > 0 else 'top' if y < 0 else 'center',
        arrowprops={'arrowstyle': '-', 'color': color, 'alpha': 0.5, 'linewidth': 0.8,
                    'shrinkA': 0, 'shrinkB': 4} if leader else None)


def _name(row: Row) -> str:
    """Name a row of Table 2 as in pictures, other rows by their own name."""
    return LABELS.get(row.name, row.name)


def _bar(axes: Axes, row: Row) -> Bbox:
    """Return the box in pixels in which the quartiles of a row's time are drawn."""
    memory, (first, third) = _ratio(row, *_OURS)[1], _spread(row)
    (left, y), (right, _) = axes.transData.transform([(first, memory), (third, memory)])
    return Bbox.from_extents(left - 4, y - 4, right + 4, y + 4)


def text_box(label: Annotation) -> Bbox:
    """Return the box of an annotation's text in pixels, without its leader."""
    label.get_window_extent()  # makes it compute its place
    return Text.get_window_extent(label)


def _around(axes: Axes, point: tuple[float, ...]) -> Bbox:
    x, y = axes.transData.transform((point[0], point[1]))
    return Bbox.from_bounds(x - 7, y - 7, 14, 14)


def _covered(axes: Axes, box: Bbox, taken: Sequence[Bbox]) -> float:
    """Return the area in pixels that a box would cover, or that is outside the axes."""
    inside = Bbox.intersection(box, axes.bbox)
    outside = box.width * box.height - (inside.width * inside.height if inside else 0.0)
    overlaps = (Bbox.intersection(box, other) for other in taken)
    return outside + sum(each.width * each.height for each in overlaps if each is not None)
