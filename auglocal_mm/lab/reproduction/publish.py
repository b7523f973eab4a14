"""Writes a table's files: ``table.json``, ``table.md``, ``report.html`` and its pictures."""
from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from auglocal_mm.files import write_json, write_text
from auglocal_mm.lab.runs.run import Run

from .markdown import render_markdown
from .report import draw_charts, render_report
from .table import Table


def publish(table: Table, result: Mapping[str, Any], runs: Sequence[Run], folder: Path) -> Path:
    """Write everything about a table to `folder`, each file whole or not at all.

    Returns:
        The folder.
    """
    charts = draw_charts(table, result, runs)
    write_json(dict(result), folder / 'table.json')
    write_text(render_markdown(result), folder / 'table.md')
    for chart in charts:
        chart.save_png(folder / f'{chart.name}.png')
    write_text(render_report(result, charts, runs), folder / 'report.html')
    return folder
