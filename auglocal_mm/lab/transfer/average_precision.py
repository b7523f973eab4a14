"""Average precision as COCO defines it: overall, by IoU, by size and by class."""
from __future__ import annotations

from typing import Any

import numpy as np
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval

from .truth import quiet

#: Figures of a table, in order, with what they are.
FIGURES = {
    'AP': 'AP over IoU 0.50 to 0.95', 'AP50': 'AP at IoU 0.50', 'AP75': 'AP at IoU 0.75',
    'APs': 'AP of objects below 32² pixels', 'APm': 'AP of objects from 32² to 96² pixels',
    'APl': 'AP of objects above 96² pixels',
}
#: Index of COCO's size ranges: all, small, medium, large.
_SIZES = {'APs': 1, 'APm': 2, 'APl': 3}


def average_precisions(truth: COCO, found: COCO, kind: str) -> dict[str, Any]:
    """Compute all figures of one kind of prediction.

    At most 100 predictions per class and image count, as in COCO's own evaluation.

    Args:
        truth, found: Ground truth and predictions, see :mod:`auglocal_mm.lab.transfer.truth`.
        kind: ``bbox`` or ``segm``.

    Returns:
        The figures of :data:`FIGURES` from 0 to 1, and under ``classes`` AP and AP50 of each
        class by name. None where there is nothing to find.
    """
    evaluation = COCOeval(truth, found, kind)
    with quiet():
        evaluation.evaluate()
        evaluation.accumulate()
    # [IoU threshold × recall × class × size × number of predictions]; -1 without ground truth.
    precision = evaluation.eval['precision'][..., -1]
    names = {each['id']: each['name'] for each in truth.dataset['categories']}
    return {
        **_by_iou(precision[..., 0]),
        **{name: _mean(precision[..., size]) for name, size in _SIZES.items()},
        'classes': {names[category]: {key: value for key, value in _by_iou(
                        precision[:, :, index, 0]).items() if key != 'AP75'}
                    for index, category in enumerate(evaluation.params.catIds)},
    }


def _by_iou(precision: np.ndarray) -> dict[str, float | None]:
    return {'AP': _mean(precision), 'AP50': _mean(precision[0]), 'AP75': _mean(precision[5])}


def _mean(precision: np.ndarray) -> float | None:
    known = precision[precision > -1]
    return float(known.mean()) if known.size else None
