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
            'truth': [_instance(each, names=names, shape=shape)
                      for each in annotations['annotations'] if each['image_id'] == image['id']],
        }
        for method, found in predictions.items():
            item[method] = [
                _instance(each, names=names, shape=shape)
                # The surest come last, so that they are drawn on top.
                for each in sorted(found, key=lambda each: each['score'])
                if each['image_id'] == image['id'] and each['score'] >= SCORE_THRESHOLD
            ]
        items.append(item)
    return {'threshold': SCORE_THRESHOLD, 'items': items}


def _instance(
    entry: Mapping[str, Any], *, names: Mapping[int, str], shape: tuple[int, int]
) -> dict[str, Any]:
    mask = decode_mask(entry['segmentation'], shape=shape)
    instance = {
        'label': names[entry['category_id']],
        'box': [round(value, 1) for value in entry.get('bbox') or _box(mask)],
        'outline': mask_outline(mask),
    }
    if 'score' in entry:
        instance['score'] = round(entry['score'], 3)
    return instance


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
