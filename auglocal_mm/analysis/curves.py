"""Learning curves of a run, read from the scalars that mmengine writes."""
import json
import math
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

LOCAL_LOSS = 'local/loss/'
LOCAL_ACCURACY = 'local/accuracy/'


@dataclass(frozen=True)
class Series:
    """One quantity over steps, both in the order they were written."""

    steps: tuple[int, ...] = ()
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

    def to_dict(self) -> dict[str, list[float]]:
        """Plain lists, for JSON."""
        return {'steps': list(self.steps), 'values': list(self.values)}

    @classmethod
    def from_dict(cls, data: dict[str, Any]) -> 'Series':
        """The inverse of :meth:`to_dict`."""
        return cls(tuple(data['steps']), tuple(data['values']))


@dataclass(frozen=True)
class Curves:
    """All series of one run.

    Attributes:
        train: What was logged during training, by iteration, e.g. ``loss``.
        val: Validation metrics by epoch (by iteration in iteration-based
            runs), e.g. ``accuracy/top1`` or ``coco/bbox_mAP``.
        local: ``local/loss/<unit>`` and ``local/accuracy/<unit>``, by iteration.
    """

    train: dict[str, Series] = field(default_factory=dict)
    val: dict[str, Series] = field(default_factory=dict)
    local: dict[str, Series] = field(default_factory=dict)

    def to_dict(self) -> dict[str, dict[str, dict[str, list[float]]]]:
        """Plain dicts and lists, for JSON."""
        return {
            kind: {name: series.to_dict() for name, series in getattr(self, kind).items()}
            for kind in ('train', 'val', 'local')
        }

    @classmethod
    def from_dict(cls, data: dict[str, Any]) -> 'Curves':
        """The inverse of :meth:`to_dict`."""
        return cls(**{
            kind: {name: Series.from_dict(series) for name, series in data[kind].items()}
            for kind in ('train', 'val', 'local')
        })


#: Bookkeeping of mmengine that is no learning curve.
_SKIPPED = {'step', 'epoch', 'iter', 'time', 'data_time', 'memory'}


def parse_curves(text: str) -> Curves:
    """Curves from the text of a ``scalars.json``: one JSON object a line.

    A line belongs to training when it holds ``loss`` or ``lr``, its ``local/``
    entries apart; every other line is a validation. Values that are not finite
    are left out. A last line without its end, as a running job leaves it, is
    skipped.

    Raises:
        ValueError: Another line is not a JSON object.
    """
    lines = text.splitlines()
    collected: dict[str, dict[str, list[tuple[int, float]]]] = {'train': {}, 'val': {}, 'local': {}}
    for number, line in enumerate(lines, start=1):
        if not line.strip():
            continue
        try:
            entry = dict(json.loads(line))
        except (TypeError, ValueError) as error:
            if number == len(lines) and not text.endswith('\n'):
                break
            raise ValueError(f'line {number} must be a JSON object, got {line[:60]!r}') from error
        kind = 'train' if 'loss' in entry or 'lr' in entry else 'val'
        for name, value in entry.items():
            if name in _SKIPPED or not _is_finite_number(value):
                continue
            target = collected['local' if name.startswith('local/') else kind]
            target.setdefault(name, []).append((int(entry.get('step', 0)), float(value)))
    return Curves(**{
        kind: {name: _to_series(points) for name, points in series.items()}
        for kind, series in collected.items()
    })


def _is_finite_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


def _to_series(points: list[tuple[int, float]]) -> Series:
    return Series(tuple(step for step, _ in points), tuple(value for _, value in points))


def find_scalars(work_dir: Path) -> Path:
    """The newest ``scalars.json`` of a run's work directory.

    Raises:
        FileNotFoundError: There is none.
    """
    found = sorted(work_dir.glob('*/vis_data/scalars.json'))
    if not found:
        raise FileNotFoundError(
            f'no */vis_data/scalars.json in {work_dir}: train there first, with the '
            'LocalVisBackend that OpenMMLab configs have by default'
        )
    return found[-1]


def read_curves(work_dir: Path) -> Curves:
    """Curves of the newest run in a work directory.

    Raises:
        FileNotFoundError: The run wrote no ``scalars.json``.
        ValueError: A line of it is not a JSON object.
    """
    return parse_curves(find_scalars(work_dir).read_text(encoding='utf-8'))
