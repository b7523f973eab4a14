"""A table's page: figures, orderings, learning curves, and the commands that made them."""
from __future__ import annotations

import shlex
from collections.abc import Mapping, Sequence
from html import escape
from typing import Any

from auglocal_mm.lab.curves.curves import Series
from auglocal_mm.lab.curves.learning_curves import learning_curves_chart
from auglocal_mm.lab.drawing.chart import Chart
from auglocal_mm.lab.pages.report_style import CSS

from .comparison_chart import comparison_chart
from .console import duration
from .markdown import cells, claims, label, machine, seeds
from .run import Run
from .steps import Step
from .table import Table

_CSS = CSS + """
.banner { background: var(--bad-soft); color: var(--bad); border-radius: 12px;
  padding: 12px 16px; font-weight: 650; }
pre { font: .82rem/1.5 ui-monospace, SFMono-Regular, Menlo, Consolas, monospace;
  overflow-x: auto; margin: 0 0 .9em; }
"""


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
        if run.trained is None:
            continue
        curves = run.trained.curves
        series = curves.train.get(key) or curves.val.get(key) or Series()
        if not len(series):
            continue
        if key in curves.train:
            series = series.every(curves.iterations_per_epoch)
        values = tuple(factor * value for value in series.values)
        found.setdefault(run.row.label, []).append(Series(series.steps, values))
    return found


def _section(title: str, body: str) -> str:
    return f'<section><h2>{escape(title)}</h2>{body}</section>'


def _table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    head = ''.join(f'<th scope="col"{" class=right" if column else ""}>{escape(text)}</th>'
                   for column, text in enumerate(header))
    body = ''.join(
        '<tr>' + f'<th scope="row">{escape(first)}</th>'
        + ''.join(f'<td class="right">{escape(text)}</td>' for text in rest) + '</tr>'
        for first, *rest in rows)
    return (f'<div class="table"><table><thead><tr>{head}</tr></thead>'
            f'<tbody>{body}</tbody></table></div>')


def _header(result: Mapping[str, Any]) -> str:
    banner = f'<p class="banner">{escape(label(result))}</p>' if result['scaled'] else ''
    if result['selection']:
        banner += '<p class="note">A selection of the table’s rows.</p>'
    unfinished = '' if result['complete'] else (
        '<p class="banner">Some runs are not done yet: start the same command again.</p>')
    hardware, *rest = machine(result)
    facts = {'Runs': seeds(result), 'Hardware': hardware, 'Versions': '; '.join(rest)}
    return (f'<header><h1>{escape(result["title"])}</h1>{banner}{unfinished}<dl class="facts">'
            + ''.join(f'<dt>{name}</dt><dd>{escape(text)}</dd>' for name, text in facts.items())
            + '</dl></header>')


def _runs(runs: Sequence[Run]) -> str:
    rows = [[run.label, run.state, duration(run.seconds) if run.seconds else '–'] for run in runs]
    commands = '\n'.join(_readable(step) for run in runs for step in run.steps)
    return (_table(['run', 'state', 'time'], rows)
            + f'<h3>Commands</h3><pre>{escape(commands)}</pre>')


def _readable(step: Step) -> str:
    """Return a command as one would type it in the root of the project."""
    return shlex.join(['python', *step.command()[1:]]).replace(f'{step.root}/', '')


def render_report(result: Mapping[str, Any], charts: Sequence[Chart], runs: Sequence[Run]) -> str:
    """Render the whole page.

    Returns:
        HTML without references to anything outside itself.
    """
    note = f'<p class="note">{escape(result["note"])}</p>' if result['note'] else ''
    parts = [_header(result), _section('Figures', _table(*cells(result)) + note)]
    if result['claims']:
        parts.append(_section('Orderings', '<p>The orderings of the paper\'s figures, and whether '
                              'they appear here.</p>' + _table(*claims(result))))
    if charts:
        parts.append(_section('Pictures', ''.join(
            f'<div class="chart wide">{chart.svg()}</div>' for chart in charts)))
    parts.append(_section('Runs', _runs(runs)))
    return (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f'<title>{escape(result["title"])}</title><style>{_CSS}</style></head>\n<body><main>\n'
        + '\n'.join(parts) + '\n</main></body></html>\n')
