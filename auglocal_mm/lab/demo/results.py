"""The demo's numbers: what ``results.json`` holds, and the limits it must keep."""
from dataclasses import dataclass
from typing import Any

METHODS = ('bp', 'auglocal')
#: Largest allowed deficit of AugLocal's top-1 against BP's, in points (percent).
TOP1_GAP = 2.0
#: Largest allowed deficit of AugLocal's box AP against BP's (AP from 0 to 1).
BOX_AP_GAP = 0.05
#: Lowest allowed box AP of either detector.
BOX_AP_FLOOR = 0.65

DETECTION_KEYS = ('bbox_mAP', 'bbox_mAP_50', 'segm_mAP', 'segm_mAP_50')

#: Dotted key -> (lowest, highest) of every required number.
_NUMBERS: dict[str, tuple[float, float]] = {
    **{f'classification.{method}.top1': (0, 100) for method in METHODS},
    # pycocotools returns -1 if there is nothing to detect.
    **{f'detection.{method}.{key}': (-1, 1) for method in METHODS for key in DETECTION_KEYS},
    **{f'memory.{method}.saved_activations_mb': (0, float('inf')) for method in METHODS},
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
    """Judge the three limits; a value exactly at its limit passes."""
    top1 = {method: results['classification'][method]['top1'] for method in METHODS}
    boxes = {method: results['detection'][method]['bbox_mAP'] for method in METHODS}
    # Rounded, so that the rounding error of 95.3 - 93.3 does not decide.
    top1_gap = round(top1['bp'] - top1['auglocal'], 6)
    box_gap = round(boxes['bp'] - boxes['auglocal'], 6)
    return (
        Verdict(
            'Top-1 accuracy of AugLocal', top1_gap <= TOP1_GAP,
            f'{top1["auglocal"]:.2f} %, BP {top1["bp"]:.2f} %, {_behind(top1_gap, "points")}',
            f'limit: at most {TOP1_GAP:.0f} points behind',
        ),
        Verdict(
            'Box AP of AugLocal', box_gap <= BOX_AP_GAP,
            f'{boxes["auglocal"]:.3f}, BP {boxes["bp"]:.3f}, {_behind(box_gap, "")}'.rstrip(),
            f'limit: at most {BOX_AP_GAP:.2f} behind',
        ),
        Verdict(
            'Box AP of both detectors', min(boxes.values()) >= BOX_AP_FLOOR,
            f'the lower one is {min(boxes.values()):.3f}',
            f'limit: at least {BOX_AP_FLOOR:.2f}',
        ),
    )


def _behind(gap: float, unit: str) -> str:
    size = f'{abs(gap):.2f} {unit}'.rstrip() if unit else f'{abs(gap):.3f}'
    if gap == 0:
        return 'equal'
    return f'{size} {"behind" if gap > 0 else "ahead"}'
