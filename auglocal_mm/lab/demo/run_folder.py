"""The folder of a demo run: each run has a fresh one, and nothing is ever deleted."""
import os
from dataclasses import dataclass
from datetime import datetime, timezone
from pathlib import Path

from auglocal_mm.files import read_json


@dataclass(frozen=True)
class RunFolder:
    """Paths of one run.

    Attributes:
        path: The run's own folder.
        root: Folder where commands run.
    """

    path: Path
    root: Path

    @classmethod
    def create(cls, work_dir: Path, *, root: Path) -> 'RunFolder':
        """Create a fresh folder ``<work_dir>/runs/<UTC time>``."""
        runs = work_dir / 'runs'
        runs.mkdir(parents=True, exist_ok=True)
        stamp = datetime.now(timezone.utc).strftime('%Y%m%d-%H%M%S')
        for attempt in range(100):
            path = runs / (stamp if attempt == 0 else f'{stamp}-{attempt}')
            try:
                path.mkdir()
            except FileExistsError:
                continue
            (path / 'logs').mkdir()
            return cls(path, root)
        raise FileExistsError(f'{runs} holds 100 runs of {stamp} already; start again')

    @property
    def logs(self) -> Path:
        """Folder with the console output of every command."""
        return self.path / 'logs'

    def work_dir(self, task: str, method: str) -> Path:
        """Return the work directory of a training, e.g. of ``detection`` by ``bp``."""
        return self.path / f'{task}_{method}'

    def test_dir(self, task: str, method: str) -> Path:
        """Return the work directory of its test."""
        return self.path / f'{task}_{method}_test'

    def backbone(self, method: str) -> Path:
        """Return the path of the exported backbone."""
        return self.path / f'backbone_{method}.pth'

    def measured(self, method: str) -> Path:
        """Return the JSON file that :mod:`auglocal_mm.lab.demo.measure` writes."""
        return self.path / f'measured_{method}.json'

    @property
    def measured_detectors(self) -> Path:
        """JSON file that :mod:`auglocal_mm.lab.demo.measure_detectors` writes."""
        return self.path / 'measured_detectors.json'

    def top1(self, method: str) -> float:
        """Return the top-1 accuracy of a classifier at its head, in percent."""
        accuracy = read_json(self.measured(method))['accuracy']
        return float(list(accuracy.values())[-1])  # the head comes last

    def predictions(self, method: str) -> Path:
        """Return COCO's JSON file of the predicted masks."""
        return self.test_dir('detection', method) / 'predictions.segm.json'

    def checkpoint(self, task: str, method: str) -> Path:
        """Return the path of a training's last checkpoint.

        Raises:
            FileNotFoundError: The training left none.
        """
        pointer = self.work_dir(task, method) / 'last_checkpoint'
        if not pointer.is_file():
            raise FileNotFoundError(f'{self.argument(pointer)} is missing: the training saved '
                                    'no checkpoint; keep default_hooks.checkpoint in its config')
        # A relative path in it counts from where the training ran.
        return self.root / pointer.read_text(encoding='utf-8').strip()

    def metrics(self, task: str, method: str) -> dict[str, float]:
        """Return the metrics that ``tools/test.py`` measured.

        Raises:
            FileNotFoundError: It wrote no metrics.
        """
        folder = self.test_dir(task, method)
        found = sorted(folder.glob('*/*.json'))
        if not found:
            raise FileNotFoundError(f'no metrics in {self.argument(folder)}: tools/test.py '
                                    'writes <time>/<time>.json there')
        return read_json(found[-1])  # named by their times

    def argument(self, path: Path) -> str:
        """Return a path as a command gets it: relative if it lies below the root."""
        return os.path.relpath(path, self.root) if path.is_relative_to(self.root) else str(path)
