"""From backbones, a detector and seeds to runs, each in a folder of its own."""
from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from auglocal_mm.lab.runs.run import OtherRunError, Run

from .backbones import Backbone
from .detector import Detector
from .steps import Predict, Score, TrainDetector
from .validation_set import ValidationSet

#: Differences that a message lists.
_LISTED = 3


def plan_runs(backbones: Sequence[Backbone], detector: Detector, validation: ValidationSet, *,
              seeds: int, root: Path, work_dir: Path, ranks: int = 1) -> list[Run]:
    """Plan a run of each backbone and seed, seed by seed: early results cover all backbones.

    Args:
        backbones: The backbones.
        detector: The detector.
        validation: What the detectors are judged on.
        seeds: Number of seeds, from 0.
        root: Folder that holds ``tools/``.
        work_dir: The folder that holds the runs' folders.
        ranks: Number of ranks of a run.

    Raises:
        ValueError: There would be no run.
    """
    if seeds < 1:
        raise ValueError(f'--seeds must be at least 1, got {seeds}')
    runs = []
    for seed in range(seeds):
        for backbone in backbones:
            folder = work_dir / backbone.name / f'seed{seed}'
            training = TrainDetector(root, detector, backbone, seed, folder / 'train', ranks)
            runs.append(Run(backbone, seed, folder, (
                training, Predict(root, training, folder, validation.kinds),
                Score(root, folder, validation))))
    return runs


def training_of(run: Run) -> TrainDetector:
    """Return the training step of a run."""
    return next(step for step in run.steps if isinstance(step, TrainDetector))


def score_of(run: Run) -> Score:
    """Return the last step of a run, which holds its scores."""
    return next(step for step in run.steps if isinstance(step, Score))


def require_same_settings(runs: Sequence[Run]) -> None:
    """Refuse to continue a run that was started with other settings.

    One that ended before its first checkpoint has nothing to continue: it begins again.

    Raises:
        OtherRunError: One was; the message says what differs.
    """
    for run in runs:
        before = run.record.get('identity', {}).get('train')
        if before is None or run.state == 'missing':
            continue
        differences = list(_differences(before, training_of(run).identity()))
        if differences:
            more = len(differences) - _LISTED
            said = '; '.join(differences[:_LISTED]) + (f'; and {more} more' if more > 0 else '')
            raise OtherRunError(f'{run.folder} holds a run with other settings: {said}. Give '
                                'another --work-dir, or move that folder away')


def _differences(before: Mapping[str, Any], now: Mapping[str, Any]) -> Iterator[str]:
    if before['backbone'] != now['backbone']:
        yield "the content of the backbone's file was another"
    for key in ('seed', 'ranks'):
        if before[key] != now[key]:
            yield f'{key} was {before[key]}, now {now[key]}'
    there, here = before['settings'], now['settings']
    for key in sorted({*there, *here}):
        if there.get(key) != here.get(key):
            yield f'{key} was {there.get(key, "not set")}, now {here.get(key, "not set")}'
