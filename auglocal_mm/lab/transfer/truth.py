"""Ground truth and predictions of a COCO-style data set, as pycocotools takes them."""
from __future__ import annotations

import contextlib
import io
from collections.abc import Mapping, Sequence
from typing import Any

from pycocotools.coco import COCO

#: Kind of prediction -> how it is called in tables.
NAMES = {'bbox': 'box', 'segm': 'mask'}


def truth_of(annotations: Mapping[str, Any], classes: Sequence[str]) -> COCO:
    """Index the annotations of the classes that a detector knows.

    Annotations are numbered from 1, because pycocotools takes a match with number 0 for no
    match.

    Args:
        annotations: COCO's JSON object. It is not changed.
        classes: Names of the classes.
    """
    categories = [each for each in annotations['categories'] if each['name'] in set(classes)]
    known = {each['id'] for each in categories}
    kept = [each for each in annotations['annotations'] if each['category_id'] in known]
    return _indexed({
        'info': {}, 'images': list(annotations['images']), 'categories': categories,
        'annotations': [{**each, 'id': number} for number, each in enumerate(kept, start=1)]})


def found_in(truth: COCO, predictions: Sequence[Mapping[str, Any]], kind: str) -> COCO:
    """Index predictions, which are COCO results, for pycocotools' evaluation.

    Args:
        truth: What :func:`truth_of` returned.
        predictions: The results. They are not changed.
        kind: ``bbox`` or ``segm``.
    """
    if not predictions:
        return _indexed({**truth.dataset, 'annotations': []})
    # With a box, pycocotools would judge a mask's size by the box's area.
    dropped = 'bbox' if kind == 'segm' else 'segmentation'
    entries = [{key: value for key, value in each.items() if key != dropped}
               for each in predictions]
    with quiet():
        return truth.loadRes(entries)


def quiet() -> contextlib.redirect_stdout:
    """Return a context in which pycocotools prints nothing."""
    return contextlib.redirect_stdout(io.StringIO())


def _indexed(dataset: Mapping[str, Any]) -> COCO:
    coco = COCO()
    coco.dataset = dict(dataset)
    with quiet():
        coco.createIndex()
    return coco
