"""Writes a table's files: ``table.json``, ``table.md``, ``report.html`` and its pictures."""
from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from auglocal_mm.lab.demo.results import write_json, write_text

from .markdown import render_markdown
from .report import draw_charts, render_report
from .run import Run
from .table import Table


def publish(table: Table, result: Mapping[str, Any], runs: Sequence[Run], folder: Path) -> Path:
    """Write everything about a table to `folder`, each file whole or not at all.

    Returns:
        The folder.
    """
    folder.mkdir(parents=True, exist_ok=True)
    charts = draw_charts(table, result, runs)
    write_json(folder / 'table.json', dict(result))
    write_text(folder / 'table.md', render_markdown(result))
    for chart in charts:
        chart.save_png(folder / f'{chart.name}.png')
    write_text(folder / 'report.html', render_report(result, charts, runs))
    return folder
