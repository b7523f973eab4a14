"""The steps of a run: commands, each with a way to see whether its work is done."""
from __future__ import annotations

import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from auglocal_mm.files import read_json, read_json_list
from auglocal_mm.lab.curves.curves import Curves, read_curves
from auglocal_mm.lab.runs.step import Step


@dataclass(frozen=True)
class Train(Step):
    """``tools/train.py`` (on several devices through torchrun), resumed if it was interrupted.

    Attributes:
        root: Folder that holds ``tools/`` and ``configs/``.
        config: Config file.
        work_dir: Its work directory.
        arguments: More arguments of the tool, e.g. ``--amp``.
        options: ``--cfg-options``.
        epochs: Length of the run.
        devices: Number of ranks.
        name: Its name.
        data: Its data in words, if not the config's.
    """

    root: Path
    config: str
    work_dir: Path
    arguments: tuple[str, ...]
    options: tuple[str, ...]
    epochs: int
    devices: int = 1
    name: str = 'train'
    data: str = ''

    def command(self) -> list[str]:
        start = [sys.executable]
        launcher = []
        if self.devices > 1:
            start += ['-m', 'torch.distributed.run', '--standalone',
                      f'--nproc_per_node={self.devices}']
            launcher = ['--launcher', 'pytorch']
        return [*start, str(self.root / 'tools/train.py'), str(self.root / self.config),
                '--work-dir', str(self.work_dir), *self.arguments, *self._resume(), *launcher,
                '--cfg-options', *self.options]

    def _resume(self) -> list[str]:
        """Return how to continue: from the latest checkpoint, or the one before the last epoch's.

        A run that was stopped after its last checkpoint but before its last validation
        would have nothing left to train, and so would never validate.
        """
        if not self.begun():
            return []
        # By its name alone, because the folder may have been moved.
        latest = Path((self.work_dir / 'last_checkpoint').read_text().strip()).name
        if latest and latest != self.checkpoint.name:
            return ['--resume', str(self.work_dir / latest)]
        before = [epoch for path in self.work_dir.glob('epoch_*.pth')
                  if (epoch := int(path.stem.removeprefix('epoch_'))) < self.epochs]
        return ['--resume', str(self.work_dir / f'epoch_{max(before)}.pth')] if before else []

    def begun(self) -> bool:
        return (self.work_dir / 'last_checkpoint').is_file()

    def done(self) -> bool:
        checkpoint = self.work_dir / f'epoch_{self.epochs}.pth'
        # A run may have been stopped between its last checkpoint and its last validation.
        return checkpoint.is_file() and any(
            len(series) and series.steps[-1] >= self.epochs for series in self.curves.val.values())

    def identity(self) -> dict[str, Any]:
        return {
            'config': Path(self.config).name, 'epochs': self.epochs,
            # The data's location may change.
            'options': [each for each in self.options if '.data_root=' not in each],
            # Names alone: the folder after --image-folder may have been moved.
            'arguments': [each for each in self.arguments if each.startswith('--')],
            'data': self.data,
        }

    @property
    def checkpoint(self) -> Path:
        """The last checkpoint."""
        return self.work_dir / f'epoch_{self.epochs}.pth'

    @property
    def curves(self) -> Curves:
        """The values logged so far; empty before the first line."""
        try:
            return read_curves(self.work_dir)
        except FileNotFoundError:
            return Curves()

    def measured(self) -> dict[str, float]:
        if not self.done():
            return {}
        return {name: series.last for name, series in self.curves.val.items()
                if len(series) and series.steps[-1] >= self.epochs}


@dataclass(frozen=True)
class Export(Step):
    """``tools/model_converters/export_backbone.py``."""

    root: Path
    trained: Train
    out: Path
    name: str = 'export'
    epochs: None = None
    work_dir: None = None

    def command(self) -> list[str]:
        return [sys.executable, str(self.root / 'tools/model_converters/export_backbone.py'),
                str(self.trained.checkpoint), str(self.out)]

    def done(self) -> bool:
        # The tool writes the whole file or none.
        return self.out.is_file()


@dataclass(frozen=True)
class Count(Step):
    """``tools/analysis_tools/get_complexity.py``."""

    root: Path
    config: str
    out: Path
    options: tuple[str, ...] = ()
    name: str = 'count'
    epochs: None = None
    work_dir: None = None

    def command(self) -> list[str]:
        options = ['--cfg-options', *self.options] if self.options else []
        return [sys.executable, str(self.root / 'tools/analysis_tools/get_complexity.py'),
                str(self.root / self.config), '--out', str(self.out), *options]

    def done(self) -> bool:
        return self.out.is_file()

    def measured(self) -> dict[str, float]:
        return {'flops': read_json(self.out)['flops']} if self.done() else {}


@dataclass(frozen=True)
class Benchmark(Step):
    """``tools/analysis_tools/benchmark_training.py`` on the rows of Table 2.

    Attributes:
        root: Folder that holds ``tools/``.
        rows: Names of the rows.
        folder: The folder of its table.
        arguments: More arguments of the tool.
    """

    root: Path
    rows: tuple[str, ...]
    folder: Path
    arguments: tuple[str, ...] = ()
    name: str = 'benchmark'
    epochs: None = None
    work_dir: None = None
    alone = True

    def command(self) -> list[str]:
        return [sys.executable, str(self.root / 'tools/analysis_tools/benchmark_training.py'),
                '--preset', 'table2', '--only', ','.join(self.rows), '--out', str(self.folder),
                *self.arguments]

    def done(self) -> bool:
        # The tool writes its table even if a row failed.
        return {each['name'] for each in self._table if not each.get('error')} >= set(self.rows)

    @property
    def _table(self) -> list[dict[str, Any]]:
        path = self.folder / 'table.json'
        return read_json_list(path) if path.is_file() else []

    def measured_of(self, row: str) -> dict[str, float]:
        """Return a row's share of BP's memory and its time over BP's; empty without both."""
        for each in self._table:
            if each['name'] == row and not each.get('error') and each['reference'] == 'bp':
                on_gpu = each['device'] != 'cpu' and each['peak_ratio'] is not None
                return {'memory_ratio': each['peak_ratio' if on_gpu else 'memory_ratio'],
                        'time_overhead': each['time_ratio'] - 1}
        return {}

    @property
    def conditions(self) -> str:
        """Batch and device of the measurement, in words; empty before it."""
        for each in self._table:
            if not each.get('error'):
                return f'batch {each["batch_size"]} on {each["device"]}'
        return ''
