"""The demo's numbers: what ``results.json`` holds, and the limits it must keep."""
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from .trainings import CLASSIFIERS, DETECTORS, Training

#: Largest allowed deficit of AugLocal's top-1 against BP's, in points (percent).
TOP1_GAP = 2.0
#: Largest allowed deficit of a detector's box AP against BP's (AP from 0 to 1).
BOX_AP_GAP = 0.05
#: Lowest allowed box AP of each detector.
BOX_AP_FLOORS = {'bp': 0.65, 'auglocal': 0.65, 'local': 0.60}

DETECTION_KEYS = ('bbox_mAP', 'bbox_mAP_50', 'segm_mAP', 'segm_mAP_50')
MEMORY_KEY = 'saved_activations_mb'

#: Dotted key -> (lowest, highest) of every required number.
_NUMBERS: dict[str, tuple[float, float]] = {
    **{f'classification.{each.method}.top1': (0, 100) for each in CLASSIFIERS},
    # pycocotools returns -1 if there is nothing to detect.
    **{f'detection.{each.method}.{key}': (-1, 1) for each in DETECTORS for key in DETECTION_KEYS},
    **{f'detection.{each.method}.{MEMORY_KEY}': (0, float('inf')) for each in DETECTORS},
    **{f'memory.{each.method}.{MEMORY_KEY}': (0, float('inf')) for each in CLASSIFIERS},
    'seconds.total': (0, float('inf')),
}
_OBJECTS = ('versions', 'hardware', 'seconds')


def results_faults(results: dict[str, Any]) -> list[str]:
    """List everything that is wrong with a result; the list is empty if it is complete."""
    faults = []
    for dotted, (low, high) in _NUMBERS.items():
        value = _look_up(results, dotted)
        if isinstance(value, bool) or not isinstance(value, int | float):
            faults.append(f'{dotted} must be a number, got {value!r}')
        elif not low <= value <= high:
            faults.append(f'{dotted} must be in [{low}, {high}], got {value}')
    for key in _OBJECTS:
        if not isinstance(results.get(key), dict) or not results[key]:
            faults.append(f'{key} must be an object with entries, got {results.get(key)!r}')
    for key, kind in (('seed', int), ('command', str), ('finished', str)):
        if not isinstance(results.get(key), kind):
            faults.append(f'{key} must be of type {kind.__name__}, got {results.get(key)!r}')
    return faults


def check_results(results: dict[str, Any]) -> dict[str, Any]:
    """Return the same results if nothing is wrong with them.

    Raises:
        ValueError: There are faults; the error lists all of them.
    """
    faults = results_faults(results)
    if faults:
        raise ValueError('results are not complete: ' + '; '.join(faults) + '. Run the demo again.')
    return results


def _look_up(tree: Any, dotted: str) -> Any:
    for key in dotted.split('.'):
        if not isinstance(tree, dict) or key not in tree:
            return None
        tree = tree[key]
    return tree


@dataclass(frozen=True)
class Verdict:
    """One acceptance limit and what was measured.

    Attributes:
        name: What is judged.
        passed: Whether the limit is met.
        measured: The measured value in words.
        limit: The limit in words.
    """

    name: str
    passed: bool
    measured: str
    limit: str

    def __str__(self) -> str:
        return f'{"PASS" if self.passed else "FAIL"}  {self.name}: {self.measured} ({self.limit})'


def judge(results: dict[str, Any]) -> tuple[Verdict, ...]:
    """Judge all limits; a value exactly at its limit passes."""
    others = [each for each in DETECTORS if each.method != 'bp']
    return (
        _top1({method: each['top1'] for method, each in results['classification'].items()}),
        *(_box_gap(each, results['detection']) for each in others),
        _box_floors(results['detection']),
    )


def _top1(top1: Mapping[str, float]) -> Verdict:
    # Rounded, so that the rounding error of 95.3 - 93.3 does not decide.
    gap = round(top1['bp'] - top1['auglocal'], 6)
    return Verdict(
        'Top-1 accuracy of AugLocal', gap <= TOP1_GAP,
        f'{top1["auglocal"]:.2f} %, BP {top1["bp"]:.2f} %, {_behind(gap, "points")}',
        f'limit: at most {TOP1_GAP:.0f} points behind')


def _box_gap(detector: Training, detection: Mapping[str, Any]) -> Verdict:
    boxes, reference = (detection[method]['bbox_mAP'] for method in (detector.method, 'bp'))
    gap = round(reference - boxes, 6)
    return Verdict(
        f'Box AP of {detector.name}', gap <= BOX_AP_GAP,
        f'{boxes:.3f}, BP {reference:.3f}, {_behind(gap, "")}'.rstrip(),
        f'limit: at most {BOX_AP_GAP:.2f} behind')


def _box_floors(detection: Mapping[str, Any]) -> Verdict:
    boxes = {each.method: detection[each.method]['bbox_mAP'] for each in DETECTORS}
    return Verdict(
        'Box AP of all detectors',
        all(value >= BOX_AP_FLOORS[method] for method, value in boxes.items()),
        ', '.join(f'{value:.3f}' for value in boxes.values()),
        'limits: at least ' + ', '.join(f'{BOX_AP_FLOORS[method]:.2f}' for method in boxes))


def _behind(gap: float, unit: str) -> str:
    size = f'{abs(gap):.2f} {unit}'.rstrip() if unit else f'{abs(gap):.3f}'
    if gap == 0:
        return 'equal'
    return f'{size} {"behind" if gap > 0 else "ahead"}'
