"""Errors and their costs, compared with a slow oracle that changes the data and scores it again."""
import copy

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pycocotools.cocoeval import COCOeval

from auglocal_mm.lab.transfer.average_precision import average_precisions
from auglocal_mm.lab.transfer.error_types import KINDS, error_types
from auglocal_mm.lab.transfer.truth import found_in, quiet, truth_of

CLASSES = {3: 'cat', 17: 'dog', 90: 'cow'}
SIDE = 60


def box_iou(a, b):
    width = min(a[0] + a[2], b[0] + b[2]) - max(a[0], b[0])
    height = min(a[1] + a[3], b[1] + b[3]) - max(a[1], b[1])
    shared = max(width, 0) * max(height, 0)
    return shared / (a[2] * a[3] + b[2] * b[3] - shared)


def made(seed, *, images=3, crowds=False):
    """Random objects, and predictions near and far from them, right and wrong."""
    random = np.random.default_rng(seed)

    def box():
        x, y = random.uniform(0, SIDE - 20, 2)
        return [float(v) for v in (x, y, *random.uniform(8, 20, 2))]

    truth = {'images': [{'id': 5 * i, 'width': SIDE, 'height': SIDE} for i in range(images)],
             'categories': [{'id': key, 'name': name} for key, name in CLASSES.items()],
             'annotations': []}
    found = []
    for image in truth['images']:
        for _ in range(random.integers(0, 4)):
            own = {'id': len(truth['annotations']), 'image_id': image['id'], 'bbox': box(),
                   'area': 100.0,
                   'category_id': int(random.choice([*CLASSES])),
                   'iscrowd': int(crowds and random.random() < 0.3)}
            truth['annotations'].append(own)
            for _ in range(random.integers(0, 4)):
                shifted = [v + float(random.normal(0, random.choice([1, 4, 8])))
                           for v in own['bbox']]
                shifted[2:] = [max(v, 2.0) for v in shifted[2:]]
                right = random.random() < 0.6
                found.append({'image_id': image['id'], 'bbox': shifted, 'score': random.random(),
                              'category_id': own['category_id'] if right
                              else int(random.choice([*CLASSES]))})
        for _ in range(random.integers(0, 2)):
            found.append({'image_id': image['id'], 'bbox': box(), 'score': random.random(),
                          'category_id': int(random.choice([*CLASSES]))})
    return truth, found


def scored(truth, found):
    """AP at IoU 0.5 by pycocotools alone; None without ground truth."""
    coco = truth_of(truth, CLASSES.values())
    evaluation = COCOeval(coco, found_in(coco, found, 'bbox'), 'bbox')
    evaluation.params.iouThrs = np.array([0.5])
    with quiet():
        evaluation.evaluate()
        evaluation.accumulate()
    precision = evaluation.eval['precision'][:, :, :, 0, -1]
    known = precision[precision > -1]
    return known.mean() if known.size else None


def matched(truth, found):
    """Greedy matching by definition: index of a prediction -> index of its object."""
    matches = {}
    for index in sorted(range(len(found)), key=lambda i: -found[i]['score']):
        best = None
        for number, each in enumerate(truth['annotations']):
            if (each['image_id'], each['category_id']) != (
                    found[index]['image_id'], found[index]['category_id']):
                continue
            overlap = box_iou(found[index]['bbox'], each['bbox'])
            if number not in matches.values() and overlap >= 0.5 and (
                    best is None or overlap > best[0]):
                best = overlap, number
        if best is not None:
            matches[index] = best[1]
    return matches


def errors_by_definition(truth, found):
    """Index of each wrong prediction -> its kind and the object that it is about."""
    matches, errors = matched(truth, found), {}
    for index, each in enumerate(found):
        if index in matches:
            continue
        there = [(box_iou(each['bbox'], other['bbox']), number, other['category_id'])
                 for number, other in enumerate(truth['annotations'])
                 if other['image_id'] == each['image_id']]
        own = max((e for e in there if e[2] == each['category_id']), default=(0, None, None))
        other = max((e for e in there if e[2] != each['category_id']), default=(0, None, None))
        if 0.1 <= own[0] < 0.5:
            errors[index] = 'localisation', own[1]
        elif other[0] >= 0.5:
            errors[index] = 'classification', other[1]
        elif own[0] >= 0.5:
            errors[index] = 'duplicate', None
        elif max(own[0], other[0]) < 0.1:
            errors[index] = 'background', None
        else:
            errors[index] = 'both', None
    return matches, errors


def repaired(truth, found, kind):
    """The data after the oracle: predictions moved, renamed or removed, objects removed."""
    matches, errors = errors_by_definition(truth, found)
    explained = set(matches.values()) | {number for name, number in errors.values()
                                         if name in ('localisation', 'classification')}
    truth, found = copy.deepcopy(truth), copy.deepcopy(found)
    if kind == 'missed':
        truth['annotations'] = [each for number, each in enumerate(truth['annotations'])
                                if number in explained]
        return truth, found
    kept, used = [], set(matches.values())
    for index in sorted(range(len(found)), key=lambda i: -found[i]['score']):
        name, number = errors.get(index, (None, None))
        if name == kind and (number is None or number in used):
            continue
        if name == kind:
            used.add(number)
            for key in ('bbox', 'category_id'):
                found[index][key] = truth['annotations'][number][key]
        kept.append(found[index])
    return truth, kept


@given(st.integers(0, 10_000))
@settings(max_examples=40)
def test_costs_are_those_of_repaired_data(seed):
    truth, found = made(seed)
    coco = truth_of(truth, CLASSES.values())
    result = error_types(coco, found_in(coco, found, 'bbox'), 'bbox')
    base = scored(truth, found)
    assert result['AP50'] == pytest.approx(base)
    _, errors = errors_by_definition(truth, found)
    for kind in KINDS:
        told = result['kinds'][kind]
        if kind != 'missed':
            assert told['count'] == sum(name == kind for name, _ in errors.values())
        if base is None:
            assert told['cost'] is None
            continue
        after = scored(*repaired(truth, found, kind))
        assert told['cost'] == pytest.approx((1.0 if after is None else after) - base)
        assert told['cost'] >= -1e-12


@given(st.integers(0, 10_000))
@settings(max_examples=15)
def test_ap50_is_cocos_with_crowds_as_well(seed):
    truth, found = made(seed, crowds=True)
    coco = truth_of(truth, CLASSES.values())
    indexed = found_in(coco, found, 'bbox')
    assert error_types(coco, indexed, 'bbox')['AP50'] == pytest.approx(
        average_precisions(coco, indexed, 'bbox')['AP50'])


def rectangle(x, y, width, height):
    return [[x, y, x + width, y, x + width, y + height, x, y + height]]


def test_masks_are_judged_by_their_pixels():
    """Boxes that agree around masks that do not: right for a box, wrong for a mask."""
    truth = {'images': [{'id': 1, 'width': 40, 'height': 40}],
             'categories': [{'id': 3, 'name': 'cat'}],
             'annotations': [{'id': 0, 'image_id': 1, 'category_id': 3, 'bbox': [0, 0, 20, 20],
                              'area': 120.0, 'iscrowd': 0,
                              'segmentation': rectangle(0, 0, 20, 6)}]}
    found = [{'image_id': 1, 'category_id': 3, 'score': 0.9, 'bbox': [0, 0, 20, 20],
              'segmentation': rle(rectangle(0, 0, 20, 20))}]
    coco = truth_of(truth, ['cat'])
    costs = {kind: error_types(coco, found_in(coco, found, kind), kind)
             for kind in ('bbox', 'segm')}
    assert costs['bbox']['AP50'] == pytest.approx(1.0)
    assert costs['segm']['AP50'] == 0.0
    assert costs['segm']['kinds']['localisation'] == {'count': 1, 'cost': pytest.approx(1.0)}
    assert costs['segm']['kinds']['missed'] == {'count': 0, 'cost': 0.0}


def rle(polygon, side=40):
    from pycocotools import mask
    encoded = mask.merge(mask.frPyObjects(polygon, side, side))
    return {'size': encoded['size'], 'counts': encoded['counts'].decode()}


def test_without_predictions_everything_is_missed():
    truth, _ = made(3)
    coco = truth_of(truth, CLASSES.values())
    result = error_types(coco, found_in(coco, [], 'bbox'), 'bbox')
    assert result['AP50'] == 0.0
    assert result['kinds']['missed'] == {'count': len(truth['annotations']), 'cost': 1.0}


def test_without_objects_nothing_has_a_cost():
    truth, found = made(3)
    truth['annotations'] = []
    coco = truth_of(truth, CLASSES.values())
    result = error_types(coco, found_in(coco, found, 'bbox'), 'bbox')
    assert result['AP50'] is None
    assert result['kinds']['background'] == {'count': len(found), 'cost': None}
