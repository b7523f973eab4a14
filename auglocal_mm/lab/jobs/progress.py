"""Progress of a training, read from the scalars that mmengine writes."""
from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

from auglocal_mm.lab.curves.scalars import NewRows, Row, kind_of, scalars_of

#: Validation metric -> its name and its decimals; the first one that is there is shown.
_METRICS = {'accuracy/top1': ('top-1', 1), 'coco/bbox_mAP': ('box AP', 3)}


@dataclass(frozen=True)
class Progress:
    """What the newest rows say; None where they say nothing.

    Attributes:
        epoch: Current epoch, from 1.
        fraction: Completed part of that epoch, 0 to 1; unknown in the first epoch of a run
            unless the length of an epoch was known before.
        loss: Training loss.
        metric: Newest validation metric with its name, e.g. ``top-1 96.5``.
    """

    epoch: int | None = None
    fraction: float | None = None
    loss: float | None = None
    metric: str | None = None

    def share(self, epochs: int | None = None) -> float:
        """Return the completed part of the whole job, 0 to 1; 0 while nothing is known."""
        if self.epoch is None or not epochs:
            return 0.0
        return (self.epoch - 1 + (self.fraction or 0.0)) / epochs

    def describe(self, epochs: int | None = None) -> str:
        """Describe it in a few words, e.g. ``epoch 2/9 40 % · loss 0.31``."""
        parts = []
        if self.epoch is not None:
            total = f'/{epochs}' if epochs else ''
            share = f' {100 * self.fraction:.0f} %' if self.fraction is not None else ''
            parts.append(f'epoch {self.epoch}{total}{share}')
        if self.loss is not None:
            parts.append(f'loss {self.loss:.3g}')
        if self.metric is not None:
            parts.append(self.metric)
        return ' · '.join(parts)


class EpochLength:
    """Iterations of an epoch, learnt from the training rows of one start if not known before.

    mmengine writes a row after each interval of iterations, and begins to count again in
    every epoch. So the first row of an epoch tells where the one before ended.

    Attributes:
        iterations: The length; None until the rows of a further epoch have told it.
    """

    def __init__(self, iterations: int | None = None) -> None:
        self.iterations = iterations
        self._interval: int | None = None
        self._last: tuple[int, int] | None = None
        self._first_step: int | None = None  # of an epoch; unknown where a resumed run begins

    def see(self, epoch: int, step: int) -> None:
        """Take a row into account: its epoch, and its iteration from the run's first one."""
        before, self._last = self._last, (epoch, step)
        if before is None or self.iterations is not None:
            return
        if epoch == before[0]:
            self._interval = self._interval or step - before[1]
        elif self._interval is None and self._first_step is not None:
            self.iterations = step - before[1]  # one row in each epoch, at the same place
        else:
            self._first_step = step
        if self._interval is not None and self._first_step is not None:
            self.iterations = (self._first_step - self._interval) // (epoch - 1)

    def fraction(self, epoch: int, step: int) -> float | None:
        """Return the completed part of an epoch, 0 to 1; None while the length is unknown."""
        if not self.iterations:
            return None
        return min(1.0, max(0.0, (step - (epoch - 1) * self.iterations) / self.iterations))


class ProgressReader:
    """Follows a training that starts after this was made.

    Args:
        work_dir: The training's work directory; what earlier starts wrote there is left alone.
        iterations: Iterations of an epoch, if known.
    """

    def __init__(self, work_dir: Path, iterations: int | None = None) -> None:
        self._work_dir = work_dir
        self._earlier = scalars_of(work_dir)
        self._rows: NewRows | None = None
        self._length = EpochLength(iterations)
        self._progress = Progress()

    def read(self) -> Progress:
        """Return the progress so far; an empty one before the first row."""
        if self._rows is None:
            started = [path for path in scalars_of(self._work_dir) if path not in self._earlier]
            if not started:
                return self._progress
            self._rows = NewRows(started[-1])
        for row in self._rows.read():
            self._take(row)
        return self._progress

    def _take(self, row: Row) -> None:
        kind = kind_of(row)
        if kind == 'train' and {'epoch', 'step'} <= row.keys():
            self._length.see(row['epoch'], row['step'])
            self._progress = replace(
                self._progress, epoch=row['epoch'], loss=row.get('loss'),
                fraction=self._length.fraction(row['epoch'], row['step']))
        elif kind == 'val':
            # A validation's step is the epoch that it ends.
            ended = self._progress.epoch is not None and row.get('step') == self._progress.epoch
            self._progress = replace(
                self._progress, metric=_metric(row) or self._progress.metric,
                fraction=1.0 if ended else self._progress.fraction)


def _metric(row: Row) -> str | None:
    for key, (name, decimals) in _METRICS.items():
        if key in row:
            return f'{name} {row[key]:.{decimals}f}'
    return None
