"""Writing a plan: text, JSON, costs for another run, pictures."""
from __future__ import annotations

from math import ceil
from pathlib import Path

from auglocal_mm.files import write_json, write_text

from .pictures import schedule_chart, speed_chart
from .report import Report
from .result import NAMES, Result

#: Ranks up to which pipelines of back-propagation are drawn below the local one.
_COMPARED = 16
#: Steps of local learning that are drawn, and most steps of BP beside them.
_SHOWN_STEPS, _MOST_STEPS = 6, 24


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
    drawn = panels(report)
    schedule_chart(drawn, seconds=shown_seconds(report)).save(folder)


def shown_seconds(report: Report) -> float:
    """Return how much of the time is drawn: until the last stage has done a few steps."""
    stages = len(report.assignment.stages)
    stops = [event.stop for event in report.shown.events
             if event.rank == stages - 1 and event.step < _SHOWN_STEPS]
    return max(stops)


def panels(report: Report) -> list[tuple[str, Result]]:
    """Return the planned schedule, and pipelines of BP with as many ranks below it."""
    comparison, assignment = report.comparison, report.assignment
    stages = len(assignment.stages)
    shown = [('Local learning', report.shown)]
    if 1 < stages <= min(_COMPARED, len(comparison.costs.modules)):
        cut = comparison.bp_stages(stages, replicas=assignment.replicas)
        for kind in ('bp_1f1b', 'bp_zero_bubble'):
            result = comparison.pipeline(kind, cut)
            if result is not None:
                steps = ceil(shown_seconds(report) / result.period) + 1
                again = comparison.pipeline(kind, cut, steps=min(steps, _MOST_STEPS))
                shown += [] if again is None else [(NAMES[kind], again)]
    return [(_title(name, result), result) for name, result in shown]


def _title(name: str, result: Result) -> str:
    noun = 'stage' if result.stages == 1 else 'stages'
    replicas = f' × {result.replicas} replicas' if result.replicas > 1 else ''
    return (f'{name}, {result.stages} {noun}{replicas}: {result.rate}, '
            f'{100 * result.bubble:.1f} % idle')
