"""Scenes for a report: images, ground truth and predictions."""
import base64
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from auglocal_mm.lab.scenes.scene_view import mask_outline

#: Predictions below this score are not drawn.
SCORE_THRESHOLD = 0.5


def collect_scenes(
    annotations: Mapping[str, Any], *, image_dir: Path,
    predictions: Mapping[str, Sequence[Mapping[str, Any]]], count: int,
) -> dict[str, Any]:
    """Return the first scenes of a COCO data set, with the instances to draw on them.

    Args:
        annotations: COCO's instance annotations.
        image_dir: Folder of the PNG images.
        predictions: Method to COCO results with ``segmentation``.
        count: Number of scenes.

    Returns:
        ``threshold``, and ``items`` with ``png`` (base64), ``width``, ``height``
        and lists of instances under ``truth`` and under each method.
    """
    names = {category['id']: category['name'] for category in annotations['categories']}
    images = sorted(annotations['images'], key=lambda image: image['id'])[:count]
    items = []
    for image in images:
        shape = image['height'], image['width']
        item = {
            'png': base64.b64encode((image_dir / image['file_name']).read_bytes()).decode(),
            'width': image['width'], 'height': image['height'],
            'truth': [instance_of(each, names=names, shape=shape)
                      for each in annotations['annotations'] if each['image_id'] == image['id']],
        }
        for method, found in predictions.items():
            item[method] = [
                instance_of(each, names=names, shape=shape)
                # The surest come last, so that they are drawn on top.
                for each in sorted(found, key=lambda each: each['score'])
                if each['image_id'] == image['id'] and each['score'] >= SCORE_THRESHOLD
            ]
        items.append(item)
    return {'threshold': SCORE_THRESHOLD, 'items': items}


def instance_of(
    entry: Mapping[str, Any], *, names: Mapping[int, str], shape: tuple[int, int],
    scale: float = 1.0,
) -> dict[str, Any]:
    """Return an instance to draw.

    Args:
        entry: An annotation or a result of COCO's, with ``segmentation``, ``bbox`` or both.
        names: Number of each category to its name.
        shape: Height and width of the image.
        scale: Size of the drawing relative to the image.
    """
    mask = None
    if entry.get('segmentation'):
        mask = _scaled(decode_mask(entry['segmentation'], shape=shape), scale)
    given = entry.get('bbox')
    box = [value * scale for value in given] if given else [0.0] * 4 if mask is None else _box(mask)
    instance = {
        'label': names[entry['category_id']],
        'box': [round(value, 1) for value in box],
        'outline': '' if mask is None else mask_outline(mask),
    }
    if 'score' in entry:
        instance['score'] = round(entry['score'], 3)
    return instance


def _scaled(mask: npt.NDArray[np.bool_], scale: float) -> npt.NDArray[np.bool_]:
    """Return a mask at another size, by the nearest pixel."""
    if scale == 1.0:
        return mask
    rows, columns = (np.minimum((np.arange(round(side * scale)) / scale).astype(int), side - 1)
                     for side in mask.shape)
    return mask[np.ix_(rows, columns)]


def decode_mask(segmentation: Any, *, shape: tuple[int, int]) -> npt.NDArray[np.bool_]:
    """Decode a mask from any of COCO's forms: run lengths, compressed or not, or polygons.

    Args:
        segmentation: The entry.
        shape: Height and width.

    Returns:
        Booleans of shape [H×W].
    """
    from pycocotools import mask as coco_mask

    height, width = shape
    if isinstance(segmentation, list):
        encoded = coco_mask.merge(coco_mask.frPyObjects(segmentation, height, width))
    elif isinstance(segmentation['counts'], list):
        encoded = coco_mask.frPyObjects(segmentation, height, width)
    else:
        encoded = segmentation
    return coco_mask.decode(encoded).astype(bool)


def _box(mask: npt.NDArray[np.bool_]) -> list[float]:
    rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
    if not len(rows):
        return [0.0, 0.0, 0.0, 0.0]
    return [float(columns[0]), float(rows[0]), float(columns[-1] - columns[0] + 1),
            float(rows[-1] - rows[0] + 1)]
