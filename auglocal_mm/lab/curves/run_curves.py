"""Several training runs in one picture: training loss and a validation metric."""
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

import matplotlib

from auglocal_mm.lab.drawing.chart import STYLE, Chart, new_row
from auglocal_mm.lab.drawing.line_styles import line_styles

from .curves import Curves, Series, read_curves
from .learning_curves import curves_height, draw_learning_curves

#: Metrics that are shown if none is requested, with title and format.
METRICS = {
    'accuracy/top1': ('Top-1 accuracy (%)', '{:.1f}'),
    'coco/bbox_mAP': ('Box AP', '{:.3f}'),
    'coco/segm_mAP': ('Mask AP', '{:.3f}'),
    'accuracy/top5': ('Top-5 accuracy (%)', '{:.1f}'),
}
#: Share of the run, at the start, whose low values a metric's axis need not show.
_CROP = 0.25


def parse_runs(arguments: Sequence[str], labels: Sequence[str] | None = None,
               ) -> dict[str, list[Path]]:
    """Parse work directories by label.

    Args:
        arguments: ``RUN``, or ``NAME=RUN,RUN`` for several seeds of one setting.
        labels: One label per argument, instead of its name or folder.

    Raises:
        ValueError: A label is missing, surplus or used twice.
    """
    if labels is not None and len(labels) != len(arguments):
        raise ValueError(f'--labels must name each of the {len(arguments)} entries, got '
                         f'{len(labels)}; put quotes around a label with spaces')
    runs: dict[str, list[Path]] = {}
    for number, argument in enumerate(arguments):
        name, paths = _split(argument)
        name = labels[number] if labels else name
        if name in runs:
            raise ValueError(f'label {name!r} is used twice; join seeds as {name}=RUN,RUN or use '
                             'different --labels')
        runs[name] = paths
    return runs


def _split(argument: str) -> tuple[str, list[Path]]:
    """Split name and folders; both may hold an ``=``, so existing folders decide."""
    whole = Path(argument)
    if '=' not in argument or whole.is_dir():
        return whole.resolve().name, [whole]
    parts = argument.split('=')
    splits = [('='.join(parts[:i]), [Path(path) for path in '='.join(parts[i:]).split(',')])
              for i in range(1, len(parts))]
    return next((split for split in splits if all(path.is_dir() for path in split[1])), splits[-1])


def read_runs(runs: Mapping[str, Sequence[Path]]) -> dict[str, list[Curves]]:
    """Read the curves of every run.

    Raises:
        FileNotFoundError: A run wrote no scalars.
        ValueError: Some runs count epochs and others iterations.
    """
    curves = {label: [read_curves(path) for path in paths] for label, paths in runs.items()}
    counted = {label: each.iterations_per_epoch is not None
               for label, seeds in curves.items() for each in seeds}
    if len(set(counted.values())) > 1:
        raise ValueError('runs must all be epoch-based or all iteration-based to share an axis; '
                         f'without epochs: {", ".join(k for k, v in counted.items() if not v)}')
    return curves


def choose_metric(curves: Iterable[Curves], asked: str | None = None) -> str | None:
    """Choose the validation metric to show; ``None`` if nothing was validated.

    Raises:
        ValueError: No run has the requested metric.
    """
    found = sorted({name for each in curves for name in each.val})
    if asked is not None and asked not in found:
        raise ValueError(f'no run has the metric {asked!r}; there are: '
                         f'{", ".join(found) or "none"}')
    preferred = [name for name in METRICS if name in found]
    return asked or next(iter(preferred + found), None)


def run_curves_chart(curves: Mapping[str, Sequence[Curves]], *, metric: str | None = None) -> Chart:
    """Draw the loss on a logarithmic axis and a validation metric, side by side.

    Args:
        curves: Label to the runs (seeds) drawn as one line with its band.
        metric: Name of the metric; by default accuracy or AP, whichever there is.

    Raises:
        ValueError: No run has the metric.
    """
    everything = [each for seeds in curves.values() for each in seeds]
    metric = choose_metric(everything, metric)
    by_epoch = everything[0].iterations_per_epoch is not None
    losses = {label: [each.train.get('loss', Series()).every(each.iterations_per_epoch)
                      for each in seeds] for label, seeds in curves.items()}
    values = {label: [each.val.get(metric or '', Series()) for each in seeds]
              for label, seeds in curves.items()}
    title, formatted = METRICS.get(metric or '', (metric or '', '{:.4g}'))
    panels = [('Training loss', losses, '{:.3f}', True), (title, values, formatted, False)]
    panels = panels if metric else panels[:1]
    xlabel = 'epoch' if by_epoch else 'iteration'
    said = []
    with matplotlib.rc_context(STYLE):
        figure, row = new_row(len(panels), width=6.2 * len(panels),
                              height=curves_height(len(curves)))
        for axes, (heading, runs, form, log) in zip(row, panels, strict=True):
            words = draw_learning_curves(axes, runs, formatted=form, log=log,
                                         crop=0.0 if log else _CROP, styles=line_styles(list(runs)))
            axes.set_title(heading)
            axes.set_xlabel(xlabel)
            said.append(f'{heading} by {xlabel}; at the end {words or "no values"}.')
    return Chart('curves', ' '.join(said), figure)
