"""Scenes with boxes, masks and labels, laid out for inline SVG."""
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

#: One colour per class, cycled; Okabe and Ito's without black. The label beside a
#: box also names the class, so colour is never the only sign.
PALETTE = ('#e69f00', '#56b4e9', '#009e73', '#f0e442', '#0072b2', '#d55e00', '#cc79a7')


def mask_outline(mask: npt.NDArray[np.bool_]) -> str:
    """Trace the outline of a mask along its pixels' edges, as SVG path data.

    Args:
        mask: Booleans of shape [H×W].

    Returns:
        Closed subpaths in pixel units, for the fill rule ``evenodd``; an empty
        mask gives an empty string.
    """
    following = _boundary_edges(np.asarray(mask, dtype=bool))
    path = []
    while following:
        start = next(iter(following))
        points, point = [start], following[start].pop()
        while point != start:
            points.append(point)
            point = following[point].pop()
        for visited in points:
            if not following.get(visited, True):
                del following[visited]
        path.append('M' + 'L'.join(f'{x} {y}' for x, y in _corners(points)) + 'Z')
    return ''.join(path)


def _boundary_edges(
    mask: npt.NDArray[np.bool_],
) -> dict[tuple[int, int], list[tuple[int, int]]]:
    """Collect directed edges between inside and outside: start corner to end corners."""
    padded = np.pad(mask, 1)
    inside = padded[1:-1, 1:-1]
    following: dict[tuple[int, int], list[tuple[int, int]]] = {}
    # Each side of a pixel: the neighbour there, and the edge's two corners.
    sides = (
        (padded[:-2, 1:-1], (0, 0), (1, 0)), (padded[1:-1, 2:], (1, 0), (1, 1)),
        (padded[2:, 1:-1], (1, 1), (0, 1)), (padded[1:-1, :-2], (0, 1), (0, 0)),
    )
    for neighbour, (x0, y0), (x1, y1) in sides:
        for y, x in np.argwhere(inside & ~neighbour).tolist():
            # Where two pixels touch by a corner alone, two edges start there.
            following.setdefault((x + x0, y + y0), []).append((x + x1, y + y1))
    return following


def _corners(points: Sequence[tuple[int, int]]) -> list[tuple[int, int]]:
    """Keep the points where a closed outline turns."""
    kept = []
    for before, point, after in zip(
        (points[-1], *points[:-1]), points, (*points[1:], points[0]), strict=True
    ):
        turn = ((point[0] - before[0]) * (after[1] - point[1])
                - (point[1] - before[1]) * (after[0] - point[0]))
        if turn:
            kept.append(point)
    return kept


@dataclass(frozen=True)
class Mark:
    """What is drawn of one instance; lengths are in pixels of the scene.

    Attributes:
        outline: SVG path data of its mask.
        box: x, y, width and height.
        color: Of outline, box and label.
        text: Its label: the class, and the score in percent if it has one.
        tag: x, y, width and height of the label's background.
        text_color: Of the label's text.
    """

    outline: str
    box: tuple[float, float, float, float]
    color: str
    text: str
    tag: tuple[float, float, float, float]
    text_color: str

    @property
    def font_size(self) -> float:
        """Size of the label's text."""
        return self.tag[3]

    @property
    def text_x(self) -> float:
        """Where the label's text begins."""
        return self.tag[0] + 0.15 * self.font_size

    @property
    def text_y(self) -> float:
        """The base line of the label's text."""
        return self.tag[1] + 0.82 * self.font_size


@dataclass(frozen=True)
class Panel:
    """A scene with instances drawn on it, as ``templates/scene.html`` draws it.

    Attributes:
        width, height: Size in pixels.
        caption: Whose instances these are.
        alt: What is shown, in words.
        marks: The instances.
    """

    width: int
    height: int
    caption: str
    alt: str
    marks: tuple[Mark, ...]


def panel_of(scene: Mapping[str, Any], instances: Sequence[Mapping[str, Any]], *,
             caption: str) -> Panel:
    """Lay out a scene's instances.

    Args:
        scene: ``width`` and ``height`` in pixels.
        instances: Each with ``label``, ``box`` (x, y, width, height in pixels),
            ``outline`` (path data) and optionally ``score`` from 0 to 1.
        caption: Description of the instances.
    """
    width, height = scene['width'], scene['height']
    labels = ', '.join(_label(instance) for instance in instances) or 'nothing'
    return Panel(width, height, caption, f'{caption}: {labels}', tuple(
        _mark(instance, width=width, height=height) for instance in instances))


def _label(instance: Mapping[str, Any]) -> str:
    score = instance.get('score')
    return str(instance['label']) + (f' ({100 * score:.0f} %)' if score is not None else '')


def _mark(instance: Mapping[str, Any], *, width: float, height: float) -> Mark:
    """Put the label above the box, or below it if there is no room."""
    color, size = _color(instance), 0.065 * height
    x, y, box_width, box_height = instance['box']
    score = instance.get('score')
    text = str(instance['label']) + (f' {100 * score:.0f}' if score is not None else '')
    tag_width = size * (0.62 * len(text) + 0.3)
    tag_x = max(0.0, min(x, width - tag_width))
    tag_y = min(y - size if y >= size else y + box_height, height - size)
    return Mark(instance['outline'], (x, y, box_width, box_height), color, text,
                (tag_x, tag_y, tag_width, size), _text_color(color))


def _color(instance: Mapping[str, Any]) -> str:
    return PALETTE[_color_index(str(instance['label'])) % len(PALETTE)]


def _color_index(label: str) -> int:
    return int(label) if label.isdigit() else sum(label.encode())


def _text_color(color: str) -> str:
    red, green, blue = (int(color[start:start + 2], 16) for start in (1, 3, 5))
    # Brightness as the eye weighs it (ITU-R BT.601).
    return '#000' if 0.299 * red + 0.587 * green + 0.114 * blue > 120 else '#fff'
