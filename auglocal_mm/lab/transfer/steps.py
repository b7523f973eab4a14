"""The steps of a run: train the detector, keep what it finds, score that."""
from __future__ import annotations

import json
import re
import sys
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from auglocal_mm.config.walk import dicts_in
from auglocal_mm.files import read_json
from auglocal_mm.lab.curves.curves import Curves, read_curves
from auglocal_mm.lab.runs.step import Step

from .backbones import Backbone
from .detector import Detector
from .truth import NAMES
from .validation_set import ValidationSet

_PACKAGE = __package__
#: Settings that change how a run is carried out or where its data lies, but not its result.
_HARMLESS = re.compile(r'num_workers$|persistent_workers$|^work_dir$|^default_hooks\.logger'
                       r'|^visualizer|^vis_backends|data_root$|evaluator(\.\d+)?\.ann_file$')


def launch(ranks: int, *target: str) -> list[str]:
    """Return the start of a command: Python, or our launcher for several ranks."""
    if ranks <= 1:
        return [sys.executable, *target]
    module = [] if target[0] != '-m' else ['--module']
    return [sys.executable, '-m', 'auglocal_mm.console.ranks', '--standalone',
            f'--nproc_per_node={ranks}', *module, target[-1]]


@dataclass(frozen=True)
class TrainDetector(Step):
    """``tools/train.py`` on one backbone with one seed, resumed if it was interrupted.

    Attributes:
        root: Folder that holds ``tools/``.
        detector: The detector.
        backbone: The backbone.
        seed: The seed.
        work_dir: The work directory of the training.
        ranks: Number of ranks; above 1, each has a GPU of its own.
    """

    root: Path
    detector: Detector
    backbone: Backbone
    seed: int
    work_dir: Path
    ranks: int = 1
    name: str = 'train'

    @property
    def epochs(self) -> int | None:  # type: ignore[override]
        return self.detector.epochs

    @property
    def options(self) -> list[str]:
        """All ``--cfg-options``, the user's last."""
        seeded = [*self.detector.start_from(self.backbone), f'randomness.seed={self.seed}']
        if self.detector.frozen and self.ranks > 1:
            wrapper = 'model_wrapper_cfg.' if self.detector.cfg.get('model_wrapper_cfg') else ''
            seeded.append(f'{wrapper}find_unused_parameters=True')
        return [*seeded, *self.detector.options]

    @property
    def checkpoint(self) -> Path:
        """The last checkpoint."""
        return self.work_dir / self.detector.last_checkpoint

    def command(self) -> list[str]:
        resume = ['--resume'] if self.begun() else []
        launcher = ['--launcher', 'pytorch'] if self.ranks > 1 else []
        return [*launch(self.ranks, str(self.root / 'tools/train.py')), self.detector.name,
                '--work-dir', str(self.work_dir), *resume, *launcher,
                '--cfg-options', *self.options]

    def begun(self) -> bool:
        return (self.work_dir / 'last_checkpoint').is_file()

    def done(self) -> bool:
        # Our training writes checkpoints whole or not at all.
        return self.checkpoint.is_file()

    def identity(self) -> dict[str, Any]:
        return {'backbone': self._digest, 'seed': self.seed, 'ranks': self.ranks,
                'settings': settings_of(self.detector)}

    @cached_property
    def _digest(self) -> str:
        # Asked for more than once, and a file of weights may be large.
        return self.backbone.digest()

    @property
    def curves(self) -> Curves:
        """The values logged so far; empty before the first line."""
        try:
            return read_curves(self.work_dir)
        except FileNotFoundError:
            return Curves()


def settings_of(detector: Detector) -> dict[str, str]:
    """Return every setting that a run's result depends on, by dotted key, as text."""
    init = f'{detector.place}.init_cfg'
    found = {}
    for place, part in dicts_in(detector.cfg.to_dict()):
        for key, value in part.items():
            name = f'{place}.{key}'.lstrip('.')
            plain = not isinstance(value, dict) and not (
                isinstance(value, (list, tuple)) and any(isinstance(each, dict) for each in value))
            # What the backbone starts from differs by run, and is judged by its content.
            if plain and not _HARMLESS.search(name) and not name.startswith(init):
                found[name] = repr(value)
    return found


@dataclass(frozen=True)
class Predict(Step):
    """What a trained detector finds in the validation set, as COCO's JSON files."""

    root: Path
    training: TrainDetector
    folder: Path
    kinds: tuple[str, ...]
    name: str = 'predict'
    epochs: None = None
    work_dir: None = None

    def command(self) -> list[str]:
        ranks = self.training.ranks
        launcher = ['--launcher', 'pytorch'] if ranks > 1 else []
        return [*launch(ranks, '-m', f'{_PACKAGE}.predict'), self.training.detector.name,
                str(self.training.checkpoint), '--out', str(self.folder), *launcher,
                '--cfg-options', *self.training.options]

    def done(self) -> bool:
        return all(predictions_file(self.folder, kind).is_file() for kind in self.kinds)


def predictions_file(folder: Path, kind: str) -> Path:
    """Return the file of a run's predictions of one kind."""
    return folder / f'predictions.{kind}.json'


@dataclass(frozen=True)
class Score(Step):
    """AP and errors of the predictions."""

    root: Path
    folder: Path
    validation: ValidationSet
    name: str = 'score'
    epochs: None = None
    work_dir: None = None

    @property
    def file(self) -> Path:
        """What it writes."""
        return self.folder / 'scores.json'

    def command(self) -> list[str]:
        return [sys.executable, '-m', f'{_PACKAGE}.score', str(self.folder),
                '--annotations', str(self.validation.annotations),
                '--kinds', *self.validation.kinds,
                # As one argument: a class may be called --debug.
                f'--classes={json.dumps(self.validation.classes)}']

    def done(self) -> bool:
        return self.file.is_file()

    @property
    def scores(self) -> dict[str, Any]:
        """What was measured, by kind; empty before."""
        return read_json(self.file) if self.done() else {}

    def measured(self) -> dict[str, float]:
        # In percent, as in the tables that are printed below.
        return {f'{NAMES[kind]} AP': 100 * figures['AP'] for kind, figures in self.scores.items()
                if figures['AP'] is not None}
