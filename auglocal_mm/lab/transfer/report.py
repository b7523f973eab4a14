"""The page of a comparison: figures, curves, classes, errors, images and commands."""
from __future__ import annotations

import shlex
from collections.abc import Mapping, Sequence
from typing import Any

from auglocal_mm.lab.drawing.chart import Chart
from auglocal_mm.lab.pages.page import render_page
from auglocal_mm.lab.runs.console import duration
from auglocal_mm.lab.runs.run import Run
from auglocal_mm.lab.scenes.small_scene import SmallScene

from .average_precision import FIGURES
from .error_types import KINDS
from .images import panels_of
from .markdown import facts, notes, title
from .plan import training_of
from .tables import classes_table, differences_table, errors_table, figures_table
from .truth import NAMES


def render_report(result: Mapping[str, Any], charts: Sequence[Chart],
                  scenes: Sequence[SmallScene], runs: Sequence[Run]) -> str:
    """Render the whole page.

    Returns:
        HTML without references to anything outside itself.
    """
    by_kind = {NAMES[kind]: kind for kind in result['kinds']}
    return render_page(
        'comparison.html', room=__package__, result=result, title=title(result),
        facts=facts(result), notes=notes(result), charts={each.name: each for each in charts},
        curves=[each for each in charts if each.name not in ('ap', 'errors')],
        figures=[figures_table(result, kind) for kind in by_kind.values()],
        meanings=FIGURES, differences=differences_table(result),
        classes={name: classes_table(result, kind) for name, kind in by_kind.items()},
        errors={name: errors_table(result, kind) for name, kind in by_kind.items()},
        kinds=KINDS,
        scenes=[{'image': scene.image, 'panels': panels_of(scene)} for scene in scenes],
        runs=[[run.label, run.state, duration(run.seconds) if run.seconds else '–']
              for run in runs],
        commands='\n'.join(_readable(run) for run in runs))


def _readable(run: Run) -> str:
    """Return a run's training as one would type it in the root of the project."""
    step = training_of(run)
    command = [word for word in step.command()[1:] if word != '--resume']
    return shlex.join(['python', *command]).replace(f'{step.root}/', '')
