"""From a table and the user's settings to the runs that the table needs."""
from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from pathlib import Path

from mmengine.config import Config

from auglocal_mm.lab.runs.run import Run
from auglocal_mm.lab.runs.schedule import scale_batch, scale_schedule, scaled_epochs
from auglocal_mm.lab.runs.step import Step

from .settings import Settings
from .steps import Benchmark, Count, Export, Train
from .table import FLOPS, Row, Table

#: Images per benchmark step without a GPU, where the paper's 1,024 take minutes per step.
CPU_BATCH = 16


def plan_runs(table: Table, settings: Settings, *, root: Path, runs_dir: Path,
              devices: int = 0) -> list[Run]:
    """Plan the runs that a table needs, seed by seed, so that early results cover all rows.

    Args:
        table: The table, or a selection of it.
        settings: Length, seeds, data.
        root: Folder that holds ``tools/`` and ``configs/``.
        runs_dir: The folder that holds the runs' folders.
        devices: Number of GPUs, 0 for the CPU; a row with a detector uses all of them at once.
    """
    seeds = range(settings.seeds if table.trained else 1)
    runs = [_plan_run(table, row, seed, settings, root=root, runs_dir=runs_dir, devices=devices)
            for seed in seeds for row in table.rows if row.same_as is None]
    return [*runs, _plan_benchmark(table, settings, root=root, runs_dir=runs_dir,
                                    devices=devices)] if table.benchmarked else runs


def _plan_benchmark(table: Table, settings: Settings, *, root: Path, runs_dir: Path,
                    devices: int) -> Run:
    """Plan the run that measures memory and time of all rows, last and alone."""
    batch = settings.batch_size or (None if devices else CPU_BATCH)
    arguments = (*(() if batch is None else ('--batch-size', str(batch))),
                 *(('--amp',) if settings.amp else ()),
                 # A GPU may not hold the models of all rows at once.
                 *(('--apart',) if devices else ()))
    names = tuple(row.name for row in table.rows)
    folder = runs_dir / f'benchmark_{"gpu" if devices else "cpu"}_{"_".join(names)}'
    row = Row('benchmark', 'memory and time', 'bp', '')
    return Run(row, 0, folder, (Benchmark(root, names, folder, arguments),))


def _plan_run(table: Table, row: Row, seed: int, settings: Settings, *, root: Path,
              runs_dir: Path, devices: int) -> Run:
    folder = runs_dir / row.key / f'seed{seed}'
    steps: list[Step] = []
    # FLOPs do not depend on the seed.
    if FLOPS in table.metrics and seed == 0:
        steps.append(Count(root, f'configs/{row.config}', folder / 'flops.json',
                           (*row.options, *settings.model_options)))
    if table.trained:
        steps += _trainings(row, seed, settings, root=root, folder=folder, devices=devices)
    return Run(row, seed, folder, tuple(steps))


def _trainings(row: Row, seed: int, settings: Settings, *, root: Path, folder: Path,
               devices: int) -> list[Step]:
    ranks = max(1, devices) if row.detector else 1
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
    """Plan a training run of `config` with the settings of the table."""
    cfg = Config.fromfile(root / config)
    arguments = ['--amp'] if settings.amp else []
    data_options, data_arguments = _data(cfg, settings)
    # The detector's batch and images never change: its schedule is already short.
    batch = settings.batch_size if name == 'train' else None
    every = (*options, f'randomness.seed={seed}', *scale_schedule(cfg, settings.epochs_scale),
             *scale_batch(cfg, batch, devices=devices), *data_options, *settings.extra)
    return Train(root, config, work_dir, (*arguments, *data_arguments), every,
                 scaled_epochs(cfg, settings.epochs_scale), devices, name,
                 _describe_folder(Path(data_arguments[1])) if data_arguments else '')


# Every run asks, and the folder may hold many files.
@cache
def _describe_folder(folder: Path) -> str:
    """Describe a folder of images: not where it is, but how many there are."""
    counts = {split.name: sum(1 for _ in split.glob('*/*')) for split in sorted(folder.iterdir())
              if split.name in ('train', 'val', 'test')}
    return 'folder of ' + ', '.join(f'{count} {name}' for name, count in counts.items())


def _data(cfg: Config, settings: Settings) -> tuple[list[str], list[str]]:
    """Return the options and arguments that point a config at the data."""
    dataset = cfg.train_dataloader.dataset
    where = Path(dataset['data_root'])
    name = where.name
    folder = settings.image_folder(name) if dataset['type'] == 'CIFAR10' else None
    if folder is not None:
        limit = ([] if settings.images_per_class is None else
                 [f'train_dataloader.dataset.images_per_class={settings.images_per_class}'])
        return limit, ['--image-folder', str(folder)]
    if settings.images_per_class is not None:
        raise ValueError(f'images per class can be limited only in a folder of images, but '
                         f'{settings.data} has no train/<class>/; write the images of '
                         f'{name} into folders, or leave the limit out')
    if settings.data == where.parent:
        return [], []
    root = settings.data / name
    options = [f'{split}_dataloader.dataset.data_root={root}' for split in ('train', 'val')]
    annotations = cfg.val_evaluator.get('ann_file')
    if annotations is not None:
        options.append(f'val_evaluator.ann_file={root / Path(annotations).relative_to(where)}')
    return options, []
