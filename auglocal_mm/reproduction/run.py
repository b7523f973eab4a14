"""A run: one row with one seed, in a folder of its own that tells how far it is."""
from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from mmengine.config import Config

from auglocal_mm.analysis.results import read_json, write_json
from auglocal_mm.analysis.system import hardware, versions

from .schedule import scale_batch, scale_schedule, scaled_epochs
from .settings import Settings
from .steps import Benchmark, Count, Export, Step, Train
from .table import FLOPS, Row, Table

RECORD = 'run.json'
#: Images a step of the benchmark without a GPU, where the paper's 1,024 take minutes a step.
CPU_BATCH = 16


class OtherRunError(ValueError):
    """A folder holds a run of the same row with other settings."""


@dataclass(frozen=True)
class Run:
    """One row with one seed.

    Attributes:
        row: The row.
        seed: Its seed.
        folder: Where all its steps write.
        steps: What has to be done, in order.
    """

    row: Row
    seed: int
    folder: Path
    steps: tuple[Step, ...]

    @property
    def label(self) -> str:
        """Row and seed, for a console."""
        return f'{self.row.label} · seed {self.seed}'

    @property
    def next_step(self) -> Step | None:
        """The first step that is not done."""
        return next((step for step in self.steps if not step.done()), None)

    @property
    def state(self) -> str:
        """``done``, ``interrupted`` (something can be continued) or ``missing``."""
        if self.next_step is None:
            return 'done'
        begun = any(step.done() or step.begun() for step in self.steps)
        return 'interrupted' if begun else 'missing'

    def measured(self) -> dict[str, float]:
        """Results by metric; those of a later step win."""
        return {name: value for step in self.steps for name, value in step.measured().items()}

    @property
    def trained(self) -> Train | None:
        """The last training, whose curves are shown."""
        trainings = [step for step in self.steps if isinstance(step, Train)]
        return trainings[-1] if trainings else None

    @property
    def alone(self) -> bool:
        """Whether nothing else may run beside it: it measures time."""
        return any(isinstance(step, Benchmark) for step in self.steps)

    @property
    def record(self) -> dict[str, Any]:
        """What was noted when it was started; empty before."""
        path = self.folder / RECORD
        return read_json(path) if path.is_file() else {}

    @property
    def seconds(self) -> float:
        """Seconds that its steps took so far, over all attempts."""
        return sum(self.record.get('seconds', {}).values())

    def seconds_of(self, step: Step) -> float:
        """Seconds that one step took so far, over all attempts."""
        return float(self.record.get('seconds', {}).get(step.name, 0.0))

    def _identity(self) -> dict[str, Any]:
        """What must not change between two attempts."""
        return {step.name: {'config': Path(step.config).name, 'options': list(step.options),
                            'epochs': step.epochs}
                for step in self.steps if isinstance(step, Train)}

    def check(self) -> None:
        """Refuse to continue a run that was begun with other settings.

        Raises:
            OtherRunError: It was.
        """
        before = self.record.get('identity', self._identity())
        if before != self._identity():
            raise OtherRunError(
                f'{self.folder} holds a run with other settings:\n'
                f'  there: {before}\n  asked: {self._identity()}\n'
                'give another --work-dir, or move that folder away')

    def begin(self) -> None:
        """Make the folder and note what is run, on what."""
        self.folder.mkdir(parents=True, exist_ok=True)
        if not self.record:
            write_json(self.folder / RECORD, {
                'identity': self._identity(), 'seed': self.seed, 'seconds': {},
                'hardware': hardware(), 'versions': versions()})

    def add_seconds(self, step: Step, seconds: float) -> None:
        """Note how long a step took, to its end or until it was stopped."""
        taken = {**self.record['seconds'], step.name: self.seconds_of(step) + seconds}
        write_json(self.folder / RECORD, {**self.record, 'seconds': taken})


def plan_runs(table: Table, settings: Settings, *, root: Path, runs_dir: Path,
              devices: int = 1) -> list[Run]:
    """The runs that a table needs, seed by seed, so that early results cover all rows.

    Args:
        table: The table, or a selection of it.
        settings: Length, seeds, data.
        root: Folder that holds ``tools/`` and ``configs/``.
        runs_dir: Where the runs' folders lie.
        devices: GPUs; a row with a detector uses all of them at once.
    """
    seeds = range(settings.seeds if table.trained else 1)
    runs = [_plan_run(table, row, seed, settings, root=root, runs_dir=runs_dir, devices=devices)
            for seed in seeds for row in table.rows if row.same_as is None]
    return [*runs, _plan_benchmark(table, settings, root=root, runs_dir=runs_dir)
            ] if table.benchmarked else runs


def _plan_benchmark(table: Table, settings: Settings, *, root: Path, runs_dir: Path) -> Run:
    """The run that measures memory and time of all rows, the last, when nothing else runs."""
    batch = settings.batch_size or (None if torch.cuda.is_available() else CPU_BATCH)
    arguments = (*(() if batch is None else ('--batch-size', str(batch))),
                 *(('--amp',) if settings.amp else ()))
    names = tuple(row.name for row in table.rows)
    folder = runs_dir / f'benchmark_{"_".join(names)}'
    row = Row('benchmark', 'memory and time', 'bp', '')
    return Run(row, 0, folder, (Benchmark(root, names, folder, arguments),))


def _plan_run(table: Table, row: Row, seed: int, settings: Settings, *, root: Path,
              runs_dir: Path, devices: int) -> Run:
    folder = runs_dir / row.key / f'seed{seed}'
    steps: list[Step] = []
    if FLOPS in table.metrics and seed == 0:
        steps.append(Count(root, f'configs/{row.config}', folder / 'flops.json', row.options))
    if table.trained:
        steps += _trainings(row, seed, settings, root=root, folder=folder, devices=devices)
    return Run(row, seed, folder, tuple(steps))


def _trainings(row: Row, seed: int, settings: Settings, *, root: Path, folder: Path,
               devices: int) -> list[Step]:
    ranks = devices if row.detector else 1
    first = train_step(f'configs/{row.config}', folder / 'train', settings, root=root, seed=seed,
                       options=row.options, devices=ranks)
    if row.detector is None:
        return [first]
    backbone = folder / 'backbone.pth'
    detector = train_step(
        f'configs/{row.detector}', folder / 'detector', settings, root=root, seed=seed,
        options=(f'model.backbone.init_cfg.checkpoint={backbone}',), devices=ranks,
        name='detector')
    return [first, Export(root, first, backbone), detector]


def train_step(config: str, work_dir: Path, settings: Settings, *, root: Path, seed: int,
               options: Sequence[str] = (), devices: int = 1, name: str = 'train') -> Train:
    """A training of `config` with the settings of the table."""
    cfg = Config.fromfile(root / config)
    dataset = cfg.train_dataloader.dataset
    arguments = ['--amp'] if settings.amp else []
    data_options, data_arguments = _data(dataset, settings)
    # The detector's batch and images are never changed: its schedule is short already.
    batch = settings.batch_size if name == 'train' else None
    every = (*options, f'randomness.seed={seed}', *scale_schedule(cfg, settings.epochs_scale),
             *scale_batch(cfg, batch, devices=devices), *data_options, *settings.extra)
    return Train(root, config, work_dir, (*arguments, *data_arguments), every,
                 scaled_epochs(cfg, settings.epochs_scale), devices, name)


def _data(dataset: Mapping[str, Any], settings: Settings) -> tuple[list[str], list[str]]:
    """Options and arguments that point a config at the data."""
    where = Path(dataset['data_root'])
    name = where.name
    folder = settings.image_folder(name) if dataset['type'] == 'CIFAR10' else None
    if folder is not None:
        limit = ([] if settings.images_per_class is None else
                 [f'train_dataloader.dataset.images_per_class={settings.images_per_class}'])
        return limit, ['--image-folder', str(folder)]
    if settings.images_per_class is not None:
        raise ValueError(f'images per class can be limited in a folder of images only, and '
                         f'{settings.data} has no train/<class>/; write the images of '
                         f'{name} into folders, or leave the limit out')
    if settings.data == where.parent:
        return [], []
    root = settings.data / name
    return [f'{split}_dataloader.dataset.data_root={root}' for split in ('train', 'val')], []
