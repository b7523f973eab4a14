"""Our figures beside the paper's: a dot and its spread for each row."""
from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import matplotlib

from auglocal_mm.lab.drawing.chart import COLORS, MUTED, STYLE, Chart, new_figure


def comparison_chart(result: Mapping[str, Any], *, title: str) -> Chart:
    """Draw the first metric of every row: ours filled, the paper's hollow, bars ± 1 std.

    Args:
        result: What :func:`auglocal_mm.lab.reproduction.collect.collect` returns.
        title: The quantity, with its unit.
    """
    rows, metric = result['rows'], result['metrics'][0]
    with matplotlib.rc_context({**STYLE, 'axes.grid.axis': 'x'}):
        figure, axes = new_figure(width=9.6, height=1.2 + 0.34 * len(rows))
        for height, row in enumerate(rows):
            for whose, face, size in (('paper', 'white', 6), ('ours', COLORS[row['rule']], 8)):
                value = row[whose].get(metric['key'])
                if value is None:
                    continue
                axes.errorbar(value['mean'], height, xerr=value['std'] or 0, fmt='o',
                              markersize=size, color=COLORS[row['rule']], markerfacecolor=face,
                              elinewidth=1.6, capsize=3)
        axes.set_yticks(range(len(rows)), [row['label'] for row in rows])
        axes.tick_params(axis='y', labelcolor=MUTED)
        axes.set_ylim(len(rows) - 0.4, -0.6)
        axes.margins(x=0.06)
        paper = any(metric['key'] in row['paper'] for row in rows)
        axes.set_title(title + (': ours filled, the paper’s hollow' if paper else ''))
    ours = ', '.join(f'{row["label"]} {row["ours"][metric["key"]]["mean"]:.2f}'
                     for row in rows if metric['key'] in row['ours'])
    return Chart('comparison', f'{title} of each row: {ours or "no runs yet"}.', figure)
