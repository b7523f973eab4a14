"""Labels at the ends of lines, each beside its line and none on another."""
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from matplotlib.axes import Axes
from matplotlib.lines import Line2D
from matplotlib.transforms import (
    Affine2D,
    ScaledTranslation,
    Transform,
    blended_transform_factory,
)

from .chart import INK

#: Height of a line of text, in points; leader, sample of the line and gap, in points.
_LINE, _LEADER, _SAMPLE, _GAP = 13.5, 16.0, 30.0, 6.0


def spread(heights: Sequence[float], *, gap: float, low: float, high: float) -> list[float]:
    """Move heights at least `gap` apart, in the same order, inside [low, high].

    Each cluster of heights that are too close is spread evenly about its mean. If there
    is no room for all of them, they are spread over the whole range.
    """
    if not heights:
        return []
    gap = min(gap, (high - low) / max(1, len(heights) - 1))
    order = sorted(range(len(heights)), key=lambda i: heights[i])
    # Minus its own share of the gaps, each cluster is one height: that of its middle.
    clusters: list[list[float]] = []
    for rank, index in enumerate(order):
        clusters.append([heights[index] - rank * gap, 1])
        while len(clusters) > 1 and clusters[-2][0] > clusters[-1][0]:
            mean, size = clusters.pop()
            before, others = clusters[-1]
            clusters[-1] = [(before * others + mean * size) / (others + size), others + size]
    bases = [mean for mean, size in clusters for _ in range(int(size))]
    top = high - (len(heights) - 1) * gap
    placed = [0.0] * len(heights)
    for rank, (index, base) in enumerate(zip(order, bases, strict=True)):
        placed[index] = min(max(base, low), top) + rank * gap
    return placed


@dataclass(frozen=True)
class LineEnd:
    """A line's last point and what to write beside it.

    Attributes:
        x, y: The point, in the values of the axes.
        text: The label.
        style: The line's style: keywords of a matplotlib line.
    """
    x: float
    y: float
    text: str
    style: dict[str, Any]


def label_ends(axes: Axes, ends: Sequence[LineEnd]) -> None:
    """Write labels in a column to the right of the axes, each with a sample of its line.

    Call it when the limits of the axes are final.
    """
    points = axes.bbox.height / axes.figure.dpi * 72
    places = [axes.transAxes.inverted().transform(axes.transData.transform((end.x, end.y)))
              for end in ends]
    visible = [min(max(float(y), 0.0), 1.0) for _, y in places]
    heights = spread(visible, gap=_LINE / points, low=0.0, high=1.0)
    column = _right_of(axes)
    for end, (x, _), own, height in zip(ends, places, visible, heights, strict=True):
        axes.annotate('', xy=(x, own), xycoords='axes fraction', xytext=(_LEADER, height),
                      textcoords=column, annotation_clip=False,
                      arrowprops={'arrowstyle': '-', 'color': end.style['color'],
                                  'linewidth': 0.8, 'shrinkA': 0, 'shrinkB': 0})
        sample = [_LEADER, _LEADER + _SAMPLE / 2, _LEADER + _SAMPLE]
        axes.add_line(Line2D(sample, [height] * 3, transform=column, clip_on=False,
                             markevery=[1], **end.style))
        axes.text(_LEADER + _SAMPLE + _GAP, height, end.text, transform=column, color=INK,
                  fontsize=10, va='center', ha='left')


def _right_of(axes: Axes) -> Transform:
    """Map points to the right of the axes and fractions of their height to pixels."""
    points = Affine2D().scale(1 / 72) + axes.figure.dpi_scale_trans
    edge = ScaledTranslation(1, 0, axes.transAxes)  # type: ignore[arg-type]
    return blended_transform_factory(points + edge, axes.transAxes)
