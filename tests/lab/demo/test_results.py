import copy

import pytest

from auglocal_mm.lab.demo.results import BOX_AP_FLOORS, check_results, judge, results_faults
from auglocal_mm.lab.demo.trainings import DETECTORS


def test_complete_results_have_no_faults(results):
    assert results_faults(results) == []
    assert check_results(results) is results


def test_all_faults_are_named_at_once(results):
    broken = copy.deepcopy(results)
    del broken['classification']['bp']
    broken['detection']['auglocal']['segm_mAP'] = 70.0
    broken['memory']['bp']['saved_activations_mb'] = None
    del broken['detection']['local']  # as in the results of older versions
    broken['seed'] = 'zero'
    broken['versions'] = {}
    with pytest.raises(ValueError) as caught:
        check_results(broken)
    for part in ('classification.bp.top1 must be a number, got None',
                 'detection.auglocal.segm_mAP must be in [-1, 1], got 70.0',
                 'memory.bp.saved_activations_mb must be a number',
                 'detection.local.bbox_mAP must be a number, got None',
                 'detection.local.saved_activations_mb must be a number',
                 'seed must be of type int', 'versions must be an object'):
        assert part in str(caught.value)


@pytest.mark.parametrize(('path', 'value', 'passed'), [
    (('classification', 'auglocal', 'top1'), 95.2, (True, True, True, True)),  # exactly 2 less
    (('classification', 'auglocal', 'top1'), 95.1, (False, True, True, True)),
    (('classification', 'auglocal', 'top1'), 99.9, (True, True, True, True)),
    (('detection', 'auglocal', 'bbox_mAP'), 0.712, (True, True, True, True)),  # exactly 0.05 less
    (('detection', 'auglocal', 'bbox_mAP'), 0.711, (True, False, True, True)),
    (('detection', 'auglocal', 'bbox_mAP'), 0.649, (True, False, True, False)),
    (('detection', 'local', 'bbox_mAP'), 0.712, (True, True, True, True)),
    (('detection', 'local', 'bbox_mAP'), 0.711, (True, True, False, True)),
    (('detection', 'local', 'bbox_mAP'), 0.60, (True, True, False, True)),
    (('detection', 'local', 'bbox_mAP'), 0.599, (True, True, False, False)),
    (('detection', 'bp', 'bbox_mAP'), 0.65, (True, True, True, True)),
    (('detection', 'bp', 'bbox_mAP'), 0.649, (True, True, True, False)),
])
def test_limits(results, path, value, passed):
    task, method, key = path
    changed = copy.deepcopy(results)
    changed[task][method][key] = value
    assert tuple(verdict.passed for verdict in judge(changed)) == passed


def test_a_verdict_says_both_values_and_the_limit(results):
    assert str(judge(results)[0]) == (
        'PASS  Top-1 accuracy of AugLocal: 96.40 %, BP 97.20 %, 0.80 points behind '
        '(limit: at most 2 points behind)')


def test_every_detector_has_a_floor():
    assert list(BOX_AP_FLOORS) == [each.method for each in DETECTORS]
