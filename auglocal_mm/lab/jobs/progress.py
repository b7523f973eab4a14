"""Progress of a run, read from the log that mmengine prints."""
import re
from dataclasses import dataclass
from datetime import timedelta

_TRAIN = re.compile(r'Epoch\(train\)\s+\[(\d+)\]\[\s*(\d+)/(\d+)\]')
_ETA = re.compile(r'\beta: (?:(\d+) days?, )?(\d+):(\d\d):(\d\d)')
_LOSS = re.compile(r'\bloss: ([\d.]+(?:e[+-]?\d+)?)')
_VAL = re.compile(r'Epoch\(val\)\s+\[(\d+)\]')
_TEST = re.compile(r'Epoch\(test\)\s+\[\s*(\d+)/(\d+)\]')
_METRICS = {'top-1': re.compile(r'accuracy/top1: ([\d.]+)'),
            'box AP': re.compile(r'coco/bbox_mAP: ([\d.]+)')}


@dataclass(frozen=True)
class Progress:
    """What the newest log lines say; None where they say nothing.

    Attributes:
        epoch: Current epoch of a training, from 1.
        fraction: Completed part of that epoch, or of the test, 0 to 1.
        loss: Training loss.
        metric: Newest validation metric with its name, e.g. ``top-1 96.5``.
        eta: Seconds until the end of training, as mmengine estimates them.
    """

    epoch: int | None = None
    fraction: float | None = None
    loss: float | None = None
    metric: str | None = None
    eta: float | None = None

    def share(self, epochs: int | None = None) -> float:
        """Return the completed part of the whole job, 0 to 1; 0 while nothing is known."""
        if self.fraction is None:
            return 0.0
        if self.epoch is None or not epochs:
            return self.fraction
        return (self.epoch - 1 + self.fraction) / epochs

    def describe(self, epochs: int | None = None) -> str:
        """Describe it in a few words, e.g. ``epoch 2/9 40 % · loss 0.31``."""
        parts = []
        if self.epoch is not None:
            total = f'/{epochs}' if epochs else ''
            share = f' {100 * self.fraction:.0f} %' if self.fraction is not None else ''
            parts.append(f'epoch {self.epoch}{total}{share}')
        elif self.fraction is not None:
            parts.append(f'{100 * self.fraction:.0f} %')
        if self.loss is not None:
            parts.append(f'loss {self.loss:.3g}')
        if self.metric is not None:
            parts.append(self.metric)
        return ' · '.join(parts)


def parse_progress(log: str) -> Progress:
    """Read the progress from the text of a log, or from its end."""
    train = _last(_TRAIN, log)
    test = _last(_TEST, log)
    loss = _last(_LOSS, log)
    epoch = int(train[1]) if train else None
    fraction = int(train[2]) / int(train[3]) if train else None
    if test and not train:
        fraction = int(test[1]) / int(test[2])
    val = _last(_VAL, log)
    if train and val and int(val[1]) == epoch and val.start() > train.start():
        fraction = 1.0
    return Progress(
        epoch=epoch, fraction=fraction, loss=float(loss[1]) if loss and train else None,
        metric=_metric(log), eta=_eta(_line(log, train or test)),
    )


def _metric(log: str) -> str | None:
    for name, pattern in _METRICS.items():
        match = _last(pattern, log)
        if match:
            digits = 1 if name == 'top-1' else 3
            return f'{name} {float(match[1]):.{digits}f}'
    return None


def _line(log: str, match: re.Match[str] | None) -> str:
    """Return the rest of the line of a match: a validation below it has its own ETA."""
    return log[match.start():].split('\n', 1)[0] if match else ''


def _eta(log: str) -> float | None:
    match = _last(_ETA, log)
    if match is None:
        return None
    days, hours, minutes, seconds = (int(group or 0) for group in match.groups())
    return timedelta(days=days, hours=hours, minutes=minutes, seconds=seconds).total_seconds()


def _last(pattern: re.Pattern[str], text: str) -> re.Match[str] | None:
    matches = list(pattern.finditer(text))
    return matches[-1] if matches else None
