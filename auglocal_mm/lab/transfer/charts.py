"""The charts of a comparison: AP, learning curves, and what each kind of error costs."""
from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import matplotlib

from auglocal_mm.lab.curves.curves import Series
from auglocal_mm.lab.curves.learning_curves import learning_curves_chart
from auglocal_mm.lab.drawing.chart import MUTED, STYLE, Chart, new_row
from auglocal_mm.lab.drawing.line_styles import line_styles
from auglocal_mm.lab.runs.run import Run

from .average_precision import FIGURES
from .collect import PERCENT
from .error_types import KINDS
from .plan import score_of, training_of
from .truth import NAMES

_HEIGHT, _PANEL_WIDTH = 1.4, 5.6


def draw_charts(result: Mapping[str, Any], runs: Sequence[Run]) -> list[Chart]:
    """Draw every chart that there is something for."""
    charts = _curves(result, runs)
    if any(row['kinds'] for row in result['rows']):
        charts += [_rows_chart('ap', 'AP (%)', result, list(FIGURES), lambda row, kind, name: (
                      row['kinds'].get(kind, {}).get('figures', {}).get(name))),
                   _rows_chart('errors', 'AP50 lost by errors (points)', result, list(KINDS),
                              lambda row, kind, name: row['kinds'].get(kind, {}).get(
                                  'errors', {}).get(name, {}).get('cost'))]
    return charts


def _curves(result: Mapping[str, Any], runs: Sequence[Run]) -> list[Chart]:
    """Draw the training loss, and AP on the validation data."""
    losses: dict[str, list[Series]] = {}
    values: dict[str, dict[str, list[Series]]] = {kind: {} for kind in result['kinds']}
    for run in runs:
        curves = training_of(run).curves
        loss = curves.train.get('loss', Series()).every(curves.iterations_per_epoch)
        if len(loss):
            losses.setdefault(run.row.label, []).append(loss)
        for kind, found in values.items():
            series = validated(run, kind, result['epochs'])
            if len(series):
                found.setdefault(run.row.label, []).append(series)
    xlabel = 'epoch' if result['epochs'] else 'iteration'
    charts = [learning_curves_chart('loss', losses, title='Training loss', formatted='{:.2f}',
                                    log=True, xlabel=xlabel)] if losses else []
    return charts + [
        learning_curves_chart(f'{NAMES[kind]}-ap', found,
                              title=f'{NAMES[kind].capitalize()} AP (%)',
                              formatted='{:.1f}', xlabel=xlabel)
        for kind, found in values.items() if found]


def validated(run: Run, kind: str, epochs: int | None) -> Series:
    """Return AP in percent by epoch, the last one as the tables have it."""
    logged = training_of(run).curves.val
    series = next((each for name, each in logged.items() if name.endswith(f'{kind}_mAP')), Series())
    # pycocotools says -1 where there is nothing to find.
    known = [(step, PERCENT * value) for step, value in zip(series.steps, series.values,
                                                            strict=True) if value >= 0]
    series = Series(tuple(step for step, _ in known), tuple(value for _, value in known))
    final = score_of(run).scores.get(kind, {}).get('AP') if run.state == 'done' else None
    if epochs is None or final is None:
        return series
    # A training need not validate after its last epoch, and logs only three digits.
    return series.then(Series((float(epochs),), (PERCENT * final,)))


def _rows_chart(name: str, title: str, result: Mapping[str, Any], quantities: Sequence[str],
                value_of: Any) -> Chart:
    """Draw a dot for each quantity and backbone, bars ± 1 std; a panel for boxes and for masks."""
    kinds, labels = result['kinds'], [row['name'] for row in result['rows']]
    styles = line_styles(labels)
    said = []
    with matplotlib.rc_context({**STYLE, 'axes.grid.axis': 'x'}):
        figure, panels = new_row(
            len(kinds), width=max(6.4, _PANEL_WIDTH * len(kinds)),
            height=_HEIGHT + len(quantities) * (0.24 + 0.09 * len(labels)))
        for axes, kind in zip(panels, kinds, strict=True):
            for index, row in enumerate(result['rows']):
                # Beside each other, so that equal values can be told apart.
                shift = 0.5 * ((index + 0.5) / len(labels) - 0.5)
                points = [(height + shift, value_of(row, kind, quantity))
                          for height, quantity in enumerate(quantities)]
                there = [(height, value) for height, value in points if value is not None]
                if not there:
                    continue
                style = styles[row['name']]
                axes.errorbar(
                    [value['mean'] for _, value in there], [height for height, _ in there],
                    xerr=[value['std'] or 0.0 for _, value in there], fmt=style['marker'],
                    color=style['color'], markersize=6.5, elinewidth=1.6, capsize=2.5,
                    label=row['name'])
                said.append(f'{NAMES[kind]}, {row["name"]}: ' + ', '.join(
                    f'{quantity} {value["mean"]:.1f}'
                    for quantity, (_, value) in zip(quantities, points, strict=True)
                    if value is not None))
            axes.set_yticks(range(len(quantities)), quantities)
            axes.tick_params(axis='y', labelcolor=MUTED)
            axes.set_ylim(len(quantities) - 0.4, -0.6)
            axes.margins(x=0.06)
            axes.set_title(f'{NAMES[kind].capitalize()}: {title}')
        named = next((axes for axes in panels if axes.get_legend_handles_labels()[0]), None)
        if named is not None:
            named.legend(loc='best', frameon=False, fontsize=10)
    return Chart(name, f'{title}. {"; ".join(said)}.', figure)
