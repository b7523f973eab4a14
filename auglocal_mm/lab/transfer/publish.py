"""Writes a comparison's files: ``results.json``, ``results.md``, ``report.html`` and pictures."""
from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from auglocal_mm.files import write_json, write_text
from auglocal_mm.lab.runs.run import Run

from .charts import draw_charts
from .images import compared_images, images_chart
from .markdown import render_markdown
from .report import render_report
from .validation_set import ValidationSet


def publish(result: Mapping[str, Any], validation: ValidationSet, runs: Sequence[Run],
            folder: Path) -> None:
    """Write everything about a comparison to `folder`, each file whole or not at all."""
    charts = draw_charts(result, runs)
    scenes = compared_images(validation, runs) if any(run.state == 'done' for run in runs) else []
    write_json(dict(result), folder / 'results.json')
    write_text(render_markdown(result), folder / 'results.md')
    for chart in [*charts, *([images_chart(scenes)] if scenes else [])]:
        chart.save_png(folder / f'{chart.name}.png')
    write_text(render_report(result, charts, scenes, runs), folder / 'report.html')
