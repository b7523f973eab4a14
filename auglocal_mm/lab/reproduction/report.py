"""A table's page: figures, orderings, learning curves, and the commands that made them."""
from __future__ import annotations

import shlex
from collections.abc import Mapping, Sequence
from typing import Any

from auglocal_mm.lab.curves.curves import Series
from auglocal_mm.lab.curves.learning_curves import learning_curves_chart
from auglocal_mm.lab.drawing.chart import Chart
from auglocal_mm.lab.pages.machine import machine
from auglocal_mm.lab.pages.page import render_page
from auglocal_mm.lab.runs.console import duration
from auglocal_mm.lab.runs.run import Run
from auglocal_mm.lab.runs.step import Step

from .comparison_chart import comparison_chart
from .markdown import cells, claims, label, seeds
from .steps import Train
from .table import Table


def draw_charts(table: Table, result: Mapping[str, Any], runs: Sequence[Run]) -> list[Chart]:
    """Draw the learning curves of all rows, and our figures beside the paper's."""
    metric = table.metrics[0]
    mark = 'scaled-down runs' if result['scaled'] else ''
    title = f'{metric.label} ({mark})' if mark else metric.label
    charts = [comparison_chart(result, title=title)] if _has_figures(result) else []
    if not table.trained:
        return charts
    done = [run for run in runs if run.state == 'done']
    losses = _series(done, 'loss')
    values = _series(done, metric.key, factor=metric.factor)
    suffix = f' ({mark})' if mark else ''
    if losses:
        charts.append(learning_curves_chart(
            'loss', losses, title=f'Training loss{suffix}', log=True,
            formatted='{:.2f}'))
    if values:
        charts.append(learning_curves_chart(
            'metric', values, title=f'{metric.label}{suffix}',
            formatted=f'{{:.{metric.digits}f}}'))
    return charts


def _has_figures(result: Mapping[str, Any]) -> bool:
    return any(row['ours'] or row['paper'] for row in result['rows'])


def _series(runs: Sequence[Run], key: str, *, factor: float = 1.0) -> dict[str, list[Series]]:
    """Map each row's label to the curves of its seeds, by epoch."""
    found: dict[str, list[Series]] = {}
    for run in runs:
        trained = last_training(run)
        if trained is None:
            continue
        curves = trained.curves
        series = curves.train.get(key) or curves.val.get(key) or Series()
        if not len(series):
            continue
        if key in curves.train:
            series = series.every(curves.iterations_per_epoch)
        values = tuple(factor * value for value in series.values)
        found.setdefault(run.row.label, []).append(Series(series.steps, values))
    return found


def last_training(run: Run) -> Train | None:
    """Return the last training step of a run, whose curves are shown."""
    trainings = [step for step in run.steps if isinstance(step, Train)]
    return trainings[-1] if trainings else None


def render_report(result: Mapping[str, Any], charts: Sequence[Chart], runs: Sequence[Run]) -> str:
    """Render the whole page.

    Returns:
        HTML without references to anything outside itself.
    """
    hardware, *rest = machine(result)
    return render_page(
        'table.html', room=__package__, result=result, charts=charts, departures=label(result),
        facts={'Runs': seeds(result), 'Hardware': hardware, 'Versions': '; '.join(rest)},
        cells=cells(result), claims=claims(result),
        runs=[[run.label, run.state, duration(run.seconds) if run.seconds else '–']
              for run in runs],
        commands='\n'.join(_readable(step) for run in runs for step in run.steps))


def _readable(step: Step) -> str:
    """Return a command as one would type it in the root of the project."""
    return shlex.join(['python', *step.command()[1:]]).replace(f'{step.root}/', '')
