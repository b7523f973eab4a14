"""Average precision is what pycocotools itself sums up."""
import numpy as np
import pytest
from pycocotools import mask as coco_mask
from pycocotools.cocoeval import COCOeval
from transfer_set import annotations

from auglocal_mm.lab.transfer.average_precision import FIGURES, average_precisions
from auglocal_mm.lab.transfer.score import scores_of
from auglocal_mm.lab.transfer.truth import found_in, quiet, truth_of

SIDE_PX = {'APs': 20, 'APm': 40, 'APl': 120}


def noisy(truth, seed=0):
    random = np.random.default_rng(seed)
    return [{'image_id': each['image_id'], 'score': float(random.random()),
             'category_id': int(random.choice([each['category_id'], 3])),
             'bbox': [value + float(random.normal(0, 2)) for value in each['bbox']]}
            for each in truth['annotations'] for _ in range(3)]


@pytest.mark.parametrize('sizes', [['APs', 'APm', 'APl'], ['APm'], []], ids='+'.join)
def test_figures_are_those_of_pycocotools(sizes):
    boxes = [[(category, (5.0 + number, 5.0, SIDE_PX[size], SIDE_PX[size]))
              for size in sizes for category in (90, 17)] for number in range(3)]
    content = annotations(boxes)
    truth = truth_of(content, ['cat', 'cow', 'dog'])
    found = found_in(truth, noisy(content), 'bbox')
    figures = average_precisions(truth, found, 'bbox')
    evaluation = COCOeval(truth, found, 'bbox')
    with quiet():
        evaluation.evaluate()
        evaluation.accumulate()
        evaluation.summarize()
    expected = [None if value == -1 else pytest.approx(value) for value in evaluation.stats[:6]]
    assert [figures[key] for key in FIGURES] == expected
    assert [key for key in SIDE_PX if figures[key] is not None] == sizes
    # Nothing to find of this class.
    assert figures['classes']['dog'] == {'AP': None, 'AP50': None}


def test_a_class_has_its_own_figures_whatever_its_number():
    content = annotations([[(90, (1, 1, 30, 30)), (3, (50, 50, 30, 30))]])
    perfect = [{'image_id': 10, 'category_id': 90, 'bbox': [1, 1, 30, 30], 'score': 0.5}]
    scores = scores_of(content, {'bbox': perfect}, ('dog', 'cow', 'cat'))['bbox']
    assert scores['classes'] == {
        'cat': {'AP': pytest.approx(1.0), 'AP50': pytest.approx(1.0), 'objects': 1},
        'dog': {'AP': 0.0, 'AP50': 0.0, 'objects': 1},
        'cow': {'AP': None, 'AP50': None, 'objects': 0}}
    assert scores['AP'] == pytest.approx(0.5)


def test_classes_that_a_detector_does_not_know_are_not_asked_for():
    content = annotations([[(90, (1, 1, 30, 30)), (3, (50, 50, 30, 30))]])
    scores = scores_of(content, {'bbox': []}, ('cat',))['bbox']
    assert list(scores['classes']) == ['cat']
    assert scores['errors']['kinds']['missed']['count'] == 1


def test_a_mask_is_sized_by_its_pixels():
    """A thin mask in a large box is small, so a wrong one costs AP of small objects."""
    lines = [[[0, 0, 3, 0, 60, 60, 57, 60]], [[60, 0, 57, 0, 0, 60, 3, 60]]]
    content = annotations([[(90, (0, 0, 60, 60))]])
    content['annotations'][0].update(area=200.0, segmentation=lines[0])
    found = []
    for line, score in zip(lines, (0.5, 0.9)):
        encoded = coco_mask.frPyObjects(line, 96, 96)[0]
        found.append({'image_id': 10, 'category_id': 90, 'bbox': [0, 0, 60, 60], 'score': score,
                      'segmentation': {**encoded, 'counts': encoded['counts'].decode()}})
    scores = scores_of(content, {'segm': found}, ('cat',))['segm']
    assert (scores['APs'], scores['APm']) == (pytest.approx(0.5), None)
