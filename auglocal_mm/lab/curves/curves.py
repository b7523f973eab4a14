"""Learning curves of a run, read from the scalars that mmengine writes."""
import math
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from .scalars import Row, kind_of, parse_rows, scalars_of

LOCAL_LOSS = 'local/loss/'
LOCAL_ACCURACY = 'local/accuracy/'


@dataclass(frozen=True)
class Series:
    """One quantity over steps (iterations or epochs), in the order of writing."""

    steps: tuple[float, ...] = ()
    values: tuple[float, ...] = ()

    def __len__(self) -> int:
        return len(self.steps)

    @property
    def last(self) -> float:
        """The newest value.

        Raises:
            ValueError: The series is empty.
        """
        if not self.values:
            raise ValueError('series must hold at least 1 value to have a last one, got 0')
        return self.values[-1]

    def every(self, iterations: int | None) -> 'Series':
        """Return the values over epochs of `iterations` steps; unchanged if that is unknown."""
        if iterations is None:
            return self
        return Series(tuple(step / iterations for step in self.steps), self.values)

    def then(self, later: 'Series') -> 'Series':
        """Return the values before the later series begins, followed by that series."""
        if not len(later):
            return self
        kept = [(step, value) for step, value in zip(self.steps, self.values, strict=True)
                if step < later.steps[0]]
        return Series((*(step for step, _ in kept), *later.steps),
                      (*(value for _, value in kept), *later.values))

    def to_dict(self) -> dict[str, list[float]]:
        """Return plain lists, for JSON."""
        return {'steps': list(self.steps), 'values': list(self.values)}

    @classmethod
    def from_dict(cls, data: dict[str, Any]) -> 'Series':
        """Invert :meth:`to_dict`."""
        return cls(tuple(data['steps']), tuple(data['values']))


@dataclass(frozen=True)
class Curves:
    """All series of one run.

    Attributes:
        train: What was logged during training, by iteration, e.g. ``loss``.
        val: Validation metrics by epoch (by iteration in iteration-based
            runs), e.g. ``accuracy/top1`` or ``coco/bbox_mAP``.
        local: ``local/loss/<unit>`` and ``local/accuracy/<unit>``, by iteration.
        iterations_per_epoch: The best estimate from the log. It is exact once the log
            spans more epochs than there are iterations between its lines, or once a
            line ends an epoch, as :class:`auglocal_mm.AuxiliaryHeadHook` writes one.
            ``None`` in iteration-based runs.
    """

    train: dict[str, Series] = field(default_factory=dict)
    val: dict[str, Series] = field(default_factory=dict)
    local: dict[str, Series] = field(default_factory=dict)
    iterations_per_epoch: int | None = None

    def to_dict(self) -> dict[str, Any]:
        """Return plain dicts and lists, for JSON."""
        kinds = {
            kind: {name: series.to_dict() for name, series in getattr(self, kind).items()}
            for kind in _KINDS
        }
        return {**kinds, 'iterations_per_epoch': self.iterations_per_epoch}

    @classmethod
    def from_dict(cls, data: dict[str, Any]) -> 'Curves':
        """Invert :meth:`to_dict`."""
        return cls(**{
            kind: {name: Series.from_dict(series) for name, series in data[kind].items()}
            for kind in _KINDS
        }, iterations_per_epoch=data.get('iterations_per_epoch'))

    def then(self, later: 'Curves') -> 'Curves':
        """Join a run and its continuation, which replaces the steps that it repeated."""
        joined = {
            kind: {name: getattr(self, kind).get(name, Series()).then(
                       getattr(later, kind).get(name, Series()))
                   for name in {**getattr(self, kind), **getattr(later, kind)}}
            for kind in _KINDS
        }
        # The higher one of two lower bounds, unless the later run replaces everything.
        restarted = joined['train'] == later.train
        bounds = (0 if restarted else self.iterations_per_epoch, later.iterations_per_epoch)
        return Curves(**joined, iterations_per_epoch=max(b or 0 for b in bounds) or None)


_KINDS = ('train', 'val', 'local')
#: Bookkeeping of mmengine that is not a learning curve.
_SKIPPED = {'step', 'epoch', 'iter', 'time', 'data_time', 'memory'}


def parse_curves(text: str) -> Curves:
    """Parse the text of a ``scalars.json``, which has one JSON object per line.

    A line belongs to training if it holds ``loss`` or ``lr``. ``local/`` entries are
    kept separately. A line with none of these is a validation. Values that are not
    finite are left out. An incomplete last line, as in a running job, is skipped.

    Raises:
        ValueError: Another line is not a JSON object.
    """
    collected: dict[str, dict[str, list[tuple[int, float]]]] = {kind: {} for kind in _KINDS}
    entries = list(parse_rows(text))
    for entry in entries:
        kind = kind_of(entry)
        for name, value in entry.items():
            if name in _SKIPPED or not _is_finite_number(value):
                continue
            target = collected['local' if name.startswith('local/') else kind]
            target.setdefault(name, []).append((int(entry.get('step', 0)), float(value)))
    return Curves(**{
        kind: {name: _to_series(points) for name, points in series.items()}
        for kind, series in collected.items()
    }, iterations_per_epoch=_iterations_per_epoch(entries))


def _iterations_per_epoch(entries: list[Row]) -> int | None:
    """Return the least length that fits every line: iteration i of epoch e needs i / e."""
    least, latest = 0, 0
    for entry in entries:
        kind, step = kind_of(entry), int(entry.get('step', 0))
        if kind != 'val':
            latest = max(latest, step)
        if kind == 'train' and entry.get('epoch'):
            least = max(least, math.ceil(step / entry['epoch']))
        elif kind == 'val' and least and step:
            # An epoch's validation ends it, so no later line belongs to it.
            least = max(least, math.ceil(latest / step))
    return least or None


def _is_finite_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


def _to_series(points: list[tuple[int, float]]) -> Series:
    return Series(tuple(step for step, _ in points), tuple(value for _, value in points))


def find_scalars(work_dir: Path) -> list[Path]:
    """Find every ``scalars.json`` in a run's work directory, one per start, oldest first.

    Raises:
        FileNotFoundError: There is none.
    """
    found = scalars_of(work_dir)
    if not found:
        raise FileNotFoundError(
            f'no */vis_data/scalars.json in {work_dir}: train there first, with the '
            'LocalVisBackend that OpenMMLab configs have by default'
        )
    return found


def read_curves(work_dir: Path) -> Curves:
    """Read the curves of the run in a work directory, whether or not it was resumed.

    Each start wrote a separate file. From its first step on, it replaces what earlier
    ones wrote, so a run restarted in a used folder replaces everything before.

    Raises:
        FileNotFoundError: The run wrote no ``scalars.json``.
        ValueError: A line of a file is not a JSON object.
    """
    curves = Curves()
    for path in find_scalars(work_dir):
        try:
            later = parse_curves(path.read_text(encoding='utf-8'))
        except ValueError as error:
            raise ValueError(f'{path}: {error}') from error
        curves = curves.then(later)
    return curves
