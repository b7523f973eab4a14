"""Writing a plan: text, JSON, costs for another run, pictures."""
from __future__ import annotations

from pathlib import Path

from auglocal_mm.files import write_json, write_text

from .pictures import schedule_chart, speed_chart
from .report import Report
from .result import NAMES, Result

#: Ranks up to which pipelines of back-propagation are drawn below the local one.
_COMPARED = 16


def write_plan(report: Report, folder: Path) -> None:
    """Write ``plan.txt``, ``plan.json``, ``costs.json`` and two pictures.

    Args:
        report: What was found.
        folder: Must exist.
    """
    write_text(f'{report}\n', folder / 'plan.txt')
    write_json(report.to_dict(), folder / 'plan.json')
    write_json(report.comparison.costs.to_dict(), folder / 'costs.json')
    speed_chart(report).save(folder)
    schedule_chart(panels(report)).save(folder)


def panels(report: Report) -> list[tuple[str, Result]]:
    """Return the planned schedule, and the pipelines of BP with as many stages beside it."""
    stages = len(report.assignment.stages)
    noun = 'stage' if stages == 1 else 'stages'
    shown = [(f'Local learning, {stages} {noun}', report.shown)]
    comparison = report.comparison
    if 1 < stages <= min(_COMPARED, len(comparison.costs.modules)):
        for kind in ('bp_1f1b', 'bp_zero_bubble'):
            result = comparison.pipeline(kind, comparison.bp_stages(
                stages, replicas=report.assignment.replicas))
            shown += [] if result is None else [(NAMES[kind], result)]
    return [(f'{title}: {100 * result.bubble:.1f} % idle', result) for title, result in shown]
