"""From runs to the content of ``results.json``: every figure of every backbone over its seeds."""
from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from typing import Any

from auglocal_mm.lab.measure.system import hardware, versions
from auglocal_mm.lab.pages.figure import summarise
from auglocal_mm.lab.pages.machine import distinct
from auglocal_mm.lab.runs.run import Run

from .average_precision import FIGURES
from .backbones import Backbone
from .detector import Detector
from .error_types import KINDS
from .plan import score_of
from .truth import NAMES
from .validation_set import ValidationSet

#: Figures of one class.
CLASS_FIGURES = ('AP', 'AP50')
#: From 0 to 1, as scores hold them, to the percent of tables.
PERCENT = 100.0


def collect(backbones: Sequence[Backbone], detector: Detector, validation: ValidationSet,
            runs: Sequence[Run]) -> dict[str, Any]:
    """Collect the content of ``results.json``; AP and costs are in percent.

    Args:
        backbones: The backbones, in the order of the tables.
        detector: The detector.
        validation: What the detectors were judged on.
        runs: All runs, finished or not.
    """
    rows = [_row(each, [run for run in runs if run.row is each], validation)
            for each in backbones]
    records = [run.record for run in runs if run.record]
    counted = next((score_of(run).scores for run in runs if run.state == 'done'), {})
    return {
        'detector': detector.name, 'frozen': detector.frozen,
        'options': list(detector.options), 'epochs': detector.epochs,
        'kinds': list(validation.kinds), 'images': validation.count,
        'objects': validation.objects,
        'classes': {name: figures['objects'] for name, figures in next(
            iter(counted.values()), {'classes': {}})['classes'].items()},
        'complete': all(run.state == 'done' for run in runs),
        'hardware': distinct([record['hardware'] for record in records]) or [hardware()],
        'versions': distinct([record['versions'] for record in records]) or [versions()],
        'rows': rows,
        'differences': [_difference(rows[0], row, validation.kinds) for row in rows[1:]],
    }


def _row(backbone: Backbone, runs: Sequence[Run], validation: ValidationSet) -> dict[str, Any]:
    done = [run for run in runs if run.state == 'done']
    scores = [score_of(run).scores for run in done]
    return {
        'name': backbone.name, 'file': str(backbone.file),
        'runs': [{'seed': run.seed, 'state': run.state, 'seconds': run.seconds} for run in runs],
        'kinds': {kind: _of_kind([each[kind] for each in scores])
                  for kind in validation.kinds} if done else {},
    }


def _of_kind(scores: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """Summarise the scores of one kind of prediction over seeds."""
    errors = [each['errors']['kinds'] for each in scores]
    return {
        'figures': {key: _summary(each[key] for each in scores) for key in FIGURES},
        'classes': {name: {key: _summary(each['classes'][name][key] for each in scores)
                           for key in CLASS_FIGURES} for name in scores[0]['classes']},
        'errors': {name: {'cost': _summary(each[name]['cost'] for each in errors),
                          'count': summarise([each[name]['count'] for each in errors])}
                   for name in KINDS},
    }


def _summary(values: Iterable[float | None]) -> dict[str, Any] | None:
    """Summarise figures in percent; None where there was nothing to find."""
    known = [PERCENT * value for value in values if value is not None]
    return summarise(known) if known else None


def _difference(first: dict[str, Any], row: dict[str, Any], kinds: Sequence[str]) -> dict[str, Any]:
    """Compare a backbone's AP with the first one's, with the spread of the difference."""
    found: dict[str, Any] = {'name': row['name'], 'from': first['name'], 'AP': {}}
    for kind in kinds:
        ours, theirs = (each['kinds'].get(kind, {}).get('figures', {}).get('AP')
                        for each in (row, first))
        if ours is None or theirs is None:
            continue
        known = ours['std'] is not None and theirs['std'] is not None
        found['AP'][NAMES[kind]] = {
            'mean': ours['mean'] - theirs['mean'],
            # Variances of independent runs add up.
            'std': math.hypot(ours['std'], theirs['std']) if known else None}
    return found
