"""What kinds of errors a detector makes, and how much AP each kind costs.

The kinds are those of Bolya, Foley, Hays and Hoffman, *TIDE: A General Toolbox for Identifying
Object Detection Errors*, ECCV 2020, sections 2.2 and 2.3. The cost of a kind is what AP at IoU
0.5 gains when an oracle fixes all errors of that kind and nothing else.
"""
from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from pycocotools import mask as coco_mask
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval

from .truth import quiet

#: IoU from which a prediction finds an object, and below which it has nothing to do with it.
FOREGROUND, BACKGROUND = 0.5, 0.1
#: Kinds in the order of tables, with what they are and what the oracle does.
KINDS = {
    'classification': 'right place, wrong class; corrected',
    'localisation': 'right class, IoU of 0.1 to 0.5; moved onto the object',
    'both': 'wrong class, and IoU of 0.1 to 0.5; removed',
    'duplicate': 'of an object that a prediction with a higher score has found; removed',
    'background': 'IoU below 0.1 with every object; removed',
    'missed': 'objects that none of the errors above explains; no longer asked for',
}
_RECALLS = np.linspace(0.0, 1.0, 101)


@dataclass(frozen=True)
class Judged:
    """A prediction and what became of it.

    Attributes:
        category: Its class.
        score: Its score.
        kind: ``correct`` or one of :data:`KINDS`.
        target: Number of the object that it found, or that it would find if it were fixed; None
            if there is no such object, or another prediction has found it.
    """

    category: int
    score: float
    kind: str
    target: int | None = None


@dataclass(frozen=True)
class Verdicts:
    """All predictions of a detector, and the objects that were to be found.

    Attributes:
        judged: The predictions; within an image and class by score, images in order.
        objects: Number of each object that counts -> its class.
    """

    judged: Sequence[Judged]
    objects: Mapping[int, int]

    @property
    def missed(self) -> set[int]:
        """Numbers of the objects that are no prediction's target."""
        return set(self.objects) - {each.target for each in self.judged if each.target is not None}


def error_types(truth: COCO, found: COCO, kind: str) -> dict[str, Any]:
    """Count the errors of each kind and compute their costs.

    Args:
        truth, found: Ground truth and predictions, see :mod:`auglocal_mm.lab.transfer.truth`.
        kind: ``bbox`` or ``segm``.

    Returns:
        ``AP50`` from 0 to 1 (None without ground truth), and under ``kinds`` for each of
        :data:`KINDS` its ``count`` and its ``cost``, the AP50 that fixing it gains.
    """
    verdicts = judge(truth, found, kind)
    base = ap50(verdicts)
    counts = Counter(each.kind for each in verdicts.judged)
    counts['missed'] = len(verdicts.missed)
    return {'AP50': base, 'kinds': {
        name: {'count': counts[name], 'cost': _gain(base, ap50(fixed(verdicts, name)))}
        for name in KINDS}}


def _gain(before: float | None, after: float | None) -> float | None:
    if before is None:
        return None
    # Without any object left to find, everything has been found.
    return (1.0 if after is None else after) - before


def judge(truth: COCO, found: COCO, kind: str) -> Verdicts:
    """Match predictions with objects as COCO does, and name the error of every other one.

    Predictions that match a crowd are left out, as crowds are.
    """
    evaluation = COCOeval(truth, found, kind)
    evaluation.params.iouThrs = np.array([FOREGROUND])
    evaluation.params.areaRng, evaluation.params.areaRngLbl = [[0, 1e10]], ['all']
    with quiet():
        evaluation.evaluate()
    # One entry for each class and image, or None.
    results = defaultdict(list)
    for each in evaluation.evalImgs:
        if each is not None:
            results[each['image_id']].append(each)
    judged: list[Judged] = []
    objects: dict[int, int] = {}
    for image in evaluation.params.imgIds:
        there = [each for each in truth.imgToAnns[image] if not each['iscrowd']]
        objects |= {each['id']: each['category_id'] for each in there}
        judged += _judge_image(truth, found, there, results[image], kind)
    return Verdicts(judged, objects)


def _judge_image(truth: COCO, found: COCO, there: Sequence[Mapping[str, Any]],
                 results: Sequence[Mapping[str, Any]], kind: str) -> Iterator[Judged]:
    entries = [(each['category_id'], prediction, int(match), score)
               for each in results for prediction, match, score, ignored in zip(
                   each['dtIds'], each['dtMatches'][0], each['dtScores'], each['dtIgnore'][0],
                   strict=True) if not ignored]
    taken = {match for _, _, match, _ in entries if match}
    overlaps = _overlaps(found.loadAnns([entry[1] for entry in entries]), there, kind, found, truth)
    numbers = [each['id'] for each in there]
    classes = np.array([each['category_id'] for each in there])
    for (category, _, match, score), row in zip(entries, overlaps, strict=True):
        if match:
            yield Judged(category, score, 'correct', match)
            continue
        name, place = name_error(row, classes == category)
        target = None if place is None or numbers[place] in taken else numbers[place]
        yield Judged(category, score, name, target)


def name_error(overlaps: np.ndarray, same: np.ndarray) -> tuple[str, int | None]:
    """Name the error of a prediction that found nothing.

    Args:
        overlaps: Its IoU with each object of the image.
        same: Whether each object is of its class.

    Returns:
        The kind, and which object it is about, if fixing it would find one.
    """
    own, other = np.where(same, overlaps, 0.0), np.where(same, 0.0, overlaps)
    if BACKGROUND <= own.max(initial=0.0) < FOREGROUND:
        return 'localisation', int(own.argmax())
    if other.max(initial=0.0) >= FOREGROUND:
        return 'classification', int(other.argmax())
    if own.max(initial=0.0) >= FOREGROUND:
        return 'duplicate', None
    return ('background' if overlaps.max(initial=0.0) < BACKGROUND else 'both'), None


def _overlaps(predictions: Sequence[Mapping[str, Any]], there: Sequence[Mapping[str, Any]],
              kind: str, found: COCO, truth: COCO) -> np.ndarray:
    """Return the IoU of each prediction with each object."""
    if not predictions or not there:
        return np.zeros((len(predictions), len(there)))
    if kind == 'bbox':
        left, right = [[each['bbox'] for each in side] for side in (predictions, there)]
    else:
        left = [found.annToRLE(each) for each in predictions]
        right = [truth.annToRLE(each) for each in there]
    return np.asarray(coco_mask.iou(left, right, [0] * len(right)))


def fixed(verdicts: Verdicts, kind: str) -> Verdicts:
    """Return the verdicts after an oracle has fixed all errors of one kind.

    Several predictions may be about one object: the surest is fixed, the others are removed.
    """
    if kind == 'missed':
        return Verdicts(verdicts.judged, {
            number: category for number, category in verdicts.objects.items()
            if number not in verdicts.missed})
    best: dict[int, Judged] = {}
    for each in verdicts.judged:
        if each.kind == kind and each.target is not None and (
                each.target not in best or each.score > best[each.target].score):
            best[each.target] = each
    judged = []
    for each in verdicts.judged:
        if each.kind != kind:
            judged.append(each)
        elif each.target is not None and best[each.target] is each:
            judged.append(Judged(verdicts.objects[each.target], each.score, 'correct', each.target))
    return Verdicts(judged, verdicts.objects)


def ap50(verdicts: Verdicts) -> float | None:
    """Return COCO's AP at IoU 0.5, the mean over classes; None without any object."""
    by_class: dict[int, list[Judged]] = defaultdict(list)
    for each in verdicts.judged:
        by_class[each.category].append(each)
    wanted = Counter(verdicts.objects.values())
    values = [_ap(by_class[category], objects) for category, objects in wanted.items()]
    return float(np.mean(values)) if values else None


def _ap(judged: Sequence[Judged], objects: int) -> float:
    """Return the mean over 101 recalls of the best precision from that recall on."""
    if not judged:
        return 0.0
    order = np.argsort([-each.score for each in judged], kind='mergesort')
    correct = np.array([each.kind == 'correct' for each in judged])[order].cumsum()
    precision = correct / np.arange(1, len(judged) + 1)
    best = np.maximum.accumulate(precision[::-1])[::-1]
    places = np.searchsorted(correct / objects, _RECALLS, side='left')
    return float(np.append(best, 0.0)[places].mean())
