"""From runs to the figures of a table: mean, spread, and the paper's orderings."""
from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from auglocal_mm.lab.measure.system import hardware, versions
from auglocal_mm.lab.pages.figure import summarise
from auglocal_mm.lab.pages.machine import distinct
from auglocal_mm.lab.runs.run import Run

from .settings import Settings
from .steps import Benchmark
from .table import Metric, Row, Table


def collect(table: Table, settings: Settings, runs: Sequence[Run]) -> dict[str, Any]:
    """Collect the content of ``table.json``.

    Args:
        table: The table.
        settings: The settings that it was run with.
        runs: All its runs, finished or not.
    """
    rows = [_row(row, table.metrics, runs) for row in table.rows]
    records = [run.record for run in runs if run.record]
    return {
        'table': table.name, 'title': table.title,
        'note': ' '.join(filter(None, [table.note, _conditions(runs)])),
        'selection': table.selected,
        'settings': settings.to_dict(),
        'scaled': bool(settings.departures) and table.trained,
        'complete': all(run.state == 'done' for run in runs),
        'hardware': distinct([record['hardware'] for record in records]) or [hardware()],
        'versions': distinct([record['versions'] for record in records]) or [versions()],
        'metrics': [{'key': each.key, 'label': each.label, 'digits': each.digits}
                    for each in table.metrics],
        'rows': rows,
        'claims': _claims(table, {row['name']: row for row in rows}),
    }


def _conditions(runs: Sequence[Run]) -> str:
    """Describe the conditions under which memory and time were measured."""
    said = [step.conditions for run in runs for step in run.steps if isinstance(step, Benchmark)]
    return f'Memory and time here: {said[0]}.' if any(said) else ''


def _row(row: Row, metrics: Sequence[Metric], all_runs: Sequence[Run]) -> dict[str, Any]:
    runs = [run for run in all_runs if run.row.name == (row.same_as or row.name)]
    done = [run for run in runs if run.state == 'done']
    measured = [run.measured() for run in done]
    measured += [step.measured_of(row.name) for run in all_runs for step in run.steps
                 if isinstance(step, Benchmark)]
    ours = {}
    for metric in metrics:
        values = [metric.factor * each[metric.key] for each in measured if metric.key in each]
        if values:
            ours[metric.key] = summarise(values)
    return {
        'name': row.name, 'label': row.label, 'rule': row.rule, 'config': f'configs/{row.config}',
        'options': list(row.options),
        'paper': {key: {'mean': each.mean, 'std': each.std} for key, each in row.paper.items()},
        'ours': ours,
        'seconds': summarise([run.seconds for run in done]) if done else None,
        'runs': [{'seed': run.seed, 'state': run.state} for run in runs],
    }


def _claims(table: Table, rows: Mapping[str, dict[str, Any]]) -> list[dict[str, Any]]:
    key = table.metrics[0].key
    found = []
    for claim in table.claims:
        better, worse = rows[claim.better], rows[claim.worse]
        entry = {'better': better['label'], 'worse': worse['label'], 'holds': None,
                 'difference': None, 'spread': None, 'paper': None}
        if key in better['paper'] and key in worse['paper']:
            entry['paper'] = better['paper'][key]['mean'] - worse['paper'][key]['mean']
        if key in better['ours'] and key in worse['ours']:
            a, b = better['ours'][key], worse['ours'][key]
            entry['difference'] = a['mean'] - b['mean']
            entry['holds'] = entry['difference'] > 0
            if a['std'] is not None and b['std'] is not None:
                # Variances of independent runs add up.
                entry['spread'] = math.hypot(a['std'], b['std'])
        found.append(entry)
    return found
