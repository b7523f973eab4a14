"""Scenes as inline SVG: an image with boxes, masks and labels."""
from collections.abc import Sequence
from html import escape
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


def scene_panel(
    scene: dict[str, Any], instances: Sequence[dict[str, Any]], *, caption: str, image_id: str,
    first: bool,
) -> str:
    """Render one ``<figure>``: a scene with instances drawn on it.

    Args:
        scene: ``png`` (base64), ``width`` and ``height`` in pixels.
        instances: Each with ``label``, ``box`` (x, y, width, height in pixels),
            ``outline`` (path data) and optionally ``score`` from 0 to 1.
        caption: Description of the instances.
        image_id: Element id of the scene's image.
        first: Embed the image here; other panels of the scene refer to it.
    """
    width, height = scene['width'], scene['height']
    if first:
        image = (f'<image id="{image_id}" width="{width}" height="{height}" '
                 f'href="data:image/png;base64,{scene["png"]}"/>')
    else:
        image = f'<use href="#{image_id}"/>'
    # All labels above all shapes.
    drawn = ''.join(_shape(instance) for instance in instances) + ''.join(
        _tag(instance, width=width, height=height) for instance in instances)
    labels = ', '.join(_label(instance) for instance in instances) or 'nothing'
    alt = escape(f'{caption}: {labels}')
    return (f'<figure class="scene"><svg viewBox="0 0 {width} {height}" role="img" '
            f'aria-label="{alt}">{image}{drawn}</svg>'
            f'<figcaption>{escape(caption)}</figcaption></figure>')


def _label(instance: dict[str, Any]) -> str:
    score = instance.get('score')
    return str(instance['label']) + (f' ({100 * score:.0f} %)' if score is not None else '')


def _shape(instance: dict[str, Any]) -> str:
    color = _color(instance)
    x, y, width, height = instance['box']
    return (
        f'<path d="{instance["outline"]}" fill="{color}" fill-opacity=".45" stroke="{color}" '
        f'stroke-width=".6" fill-rule="evenodd"/>'
        f'<rect x="{x:.1f}" y="{y:.1f}" width="{width:.1f}" height="{height:.1f}" '
        f'fill="none" stroke="{color}" stroke-width="1.1"/>'
    )


def _tag(instance: dict[str, Any], *, width: float, height: float) -> str:
    """Draw the label above the box, or below it if there is no room."""
    color, size = _color(instance), 0.065 * height
    x, y, _, box_height = instance['box']
    score = instance.get('score')
    text = escape(str(instance['label'])) + (f' {100 * score:.0f}' if score is not None else '')
    tag_width = size * (0.62 * len(text) + 0.3)
    x = max(0.0, min(x, width - tag_width))
    y = min(y - size if y >= size else y + box_height, height - size)
    return (
        f'<rect x="{x:.1f}" y="{y:.1f}" width="{tag_width:.1f}" height="{size:.1f}" '
        f'fill="{color}"/>'
        f'<text x="{x + 0.15 * size:.1f}" y="{y + 0.82 * size:.1f}" font-size="{size:.1f}" '
        f'fill="{_text_color(color)}">{text}</text>'
    )


def _color(instance: dict[str, Any]) -> str:
    return PALETTE[_color_index(str(instance['label'])) % len(PALETTE)]


def _color_index(label: str) -> int:
    return int(label) if label.isdigit() else sum(label.encode())


def _text_color(color: str) -> str:
    red, green, blue = (int(color[start:start + 2], 16) for start in (1, 3, 5))
    return '#000' if 0.299 * red + 0.587 * green + 0.114 * blue > 120 else '#fff'
