"""The same images with what each detector finds on them, for the page and as a picture."""
from __future__ import annotations

import base64
import io
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import matplotlib
import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.patches import PathPatch, Rectangle
from matplotlib.path import Path as Outline

from auglocal_mm.files import read_json, read_json_list
from auglocal_mm.lab.drawing.chart import STYLE, Chart
from auglocal_mm.lab.runs.run import Run
from auglocal_mm.lab.scenes.scene_view import Panel, panel_of
from auglocal_mm.lab.scenes.small_scene import SmallScene, small_scene

from .steps import predictions_file
from .validation_set import ValidationSet

TRUTH = 'Ground truth'
_PANEL_INCHES = 2.4


def compared_images(validation: ValidationSet, runs: Sequence[Run]) -> list[SmallScene]:
    """Return the images with the ground truth and what the first seed of each backbone found.

    Of each detector, an image shows as many of the surest predictions as it has objects: a
    threshold on scores would favour the detector that is surer of itself.
    """
    kind = 'segm' if 'segm' in validation.kinds else 'bbox'
    wanted = {number for number, _ in validation.images}
    content = read_json(validation.annotations)
    names = {each['id']: each['name'] for each in content['categories']}
    there = _by_image([each for each in content['annotations'] if not each.get('iscrowd')
                       and names.get(each['category_id']) in set(validation.classes)], wanted, kind)
    entries = {TRUTH: there}
    for run in runs:
        if run.state == 'done' and run.row.label not in entries:
            found = _by_image(read_json_list(predictions_file(run.folder, kind)), wanted, kind)
            entries[run.row.label] = {
                number: sorted(each, key=lambda entry: -entry['score'])[:len(there[number])]
                for number, each in found.items()}
    return [small_scene(Path(path), {who: found[number] for who, found in entries.items()},
                        names=names) for number, path in validation.images]


def _by_image(entries: Sequence[Mapping[str, Any]], wanted: set[int], kind: str,
              ) -> dict[int, list[Mapping[str, Any]]]:
    found: dict[int, list[Mapping[str, Any]]] = {number: [] for number in wanted}
    for each in entries:
        if each['image_id'] in wanted:
            # Where boxes are compared, outlines would be noise.
            found[each['image_id']].append(each if kind == 'segm' else {
                key: value for key, value in each.items() if key != 'segmentation'})
    return found


def panels_of(scene: SmallScene) -> list[Panel]:
    """Return a panel for the ground truth and for each backbone."""
    size = {'width': scene.width, 'height': scene.height}
    return [panel_of(size, found, caption=who) for who, found in scene.instances.items()]


def images_chart(scenes: Sequence[SmallScene]) -> Chart:
    """Draw all panels as one picture: a row for each image, a column for each backbone."""
    rows = [panels_of(scene) for scene in scenes]
    columns = len(rows[0])
    ratio = sum(scene.height / scene.width for scene in scenes) / len(scenes)
    with matplotlib.rc_context({**STYLE, 'axes.grid': False}):
        figure = Figure(figsize=(_PANEL_INCHES * columns,
                                 0.3 + _PANEL_INCHES * ratio * len(rows)), layout='constrained')
        FigureCanvasAgg(figure)
        for row, (scene, panels) in enumerate(zip(scenes, rows, strict=True)):
            picture = _pixels(scene.image)
            for column, panel in enumerate(panels):
                axes = figure.add_subplot(len(rows), columns, row * columns + column + 1)
                axes.imshow(picture)
                _draw(axes, panel)
                if row == 0:
                    axes.set_title(panel.caption, fontsize=9, pad=4)
    said = '; '.join(panel.alt for panels in rows for panel in panels)
    return Chart('images', f'The same images, each as every detector sees it. {said}.', figure)


def _draw(axes: Axes, panel: Panel) -> None:
    axes.set_axis_off()
    axes.set_xlim(-0.5, panel.width - 0.5)
    axes.set_ylim(panel.height - 0.5, -0.5)
    for mark in panel.marks:
        if mark.outline:
            axes.add_patch(PathPatch(_outline(mark.outline), facecolor=mark.color, alpha=0.45,
                                     linewidth=0.5))
        x, y, width, height = mark.box
        axes.add_patch(Rectangle((x - 0.5, y - 0.5), width, height, fill=False,
                                 edgecolor=mark.color, linewidth=1.0))
    # All labels above all shapes, and each above those before it: matplotlib alone would write
    # the words of two labels in one place over each other.
    points = 72 * _PANEL_INCHES / panel.width
    for order, mark in enumerate(panel.marks, start=10):
        x, y, width, height = mark.tag
        axes.add_patch(Rectangle((x - 0.5, y - 0.5), width, height, color=mark.color, linewidth=0,
                                 zorder=order))
        axes.text(mark.text_x, mark.text_y, mark.text, color=mark.text_color, va='baseline',
                  fontsize=0.8 * mark.font_size * points, clip_on=True, zorder=order)


def _pixels(uri: str) -> np.ndarray:
    from PIL import Image

    with Image.open(io.BytesIO(base64.b64decode(uri.partition(',')[2]))) as picture:
        return np.asarray(picture)


def _outline(data: str) -> Outline:
    """Return matplotlib's form of an outline, which is closed parts of corners."""
    corners: list[tuple[float, float]] = []
    codes: list[Any] = []
    for part in re.findall(r'M([^Z]*)Z', data):
        points = [(float(x) - 0.5, float(y) - 0.5)
                  for x, y in (point.split() for point in part.split('L'))]
        corners += [*points, points[0]]
        codes += [Outline.MOVETO, *[Outline.LINETO] * (len(points) - 1), Outline.CLOSEPOLY]
    return Outline(corners, codes)
