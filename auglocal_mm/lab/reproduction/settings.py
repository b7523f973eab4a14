"""A table's settings: length, seeds, data and batch, and how they depart from the paper."""
from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from auglocal_mm.validation import Faults, is_int

#: Settings that the plan of a run determines.
_PLANNED = {'randomness.seed', 'train_cfg.max_epochs', 'train_dataloader.batch_size'}
#: Settings that change how a run is carried out, but not its result.
_HARMLESS = re.compile(r'num_workers$|persistent_workers$|val_interval$|^default_hooks\.logger')


@dataclass(frozen=True)
class Settings:
    """What a user chooses for a whole table.

    Attributes:
        data: Folder that holds ``cifar10/``, ``imagenet/`` and ``coco/``, or a folder with
            ``train/<class>/`` and ``test/<class>/`` images.
        epochs_scale: Factor on each schedule's length; 1 is the paper's.
        seeds: Number of runs per row, with seeds 0, 1, ….
        batch_size: Images per step over all devices, or None for the paper's; the
            learning rate scales in proportion.
        images_per_class: Number of training images of each class, or None for all;
            needs a folder of images.
        amp: Mixed precision.
        extra: More ``--cfg-options``, the same for every run.

    Raises:
        ValueError: Values are impossible; the error lists all of them.
    """

    data: Path = Path('data')
    epochs_scale: float = 1.0
    seeds: int = 3
    batch_size: int | None = None
    images_per_class: int | None = None
    amp: bool = False
    extra: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        faults = Faults('settings')
        faults.add_unless(0 < self.epochs_scale <= 1,
                          f'epochs scale must be above 0 and at most 1, got {self.epochs_scale}')
        for name in ('seeds', 'batch_size', 'images_per_class'):
            value = getattr(self, name)
            faults.add_unless(value is None or (is_int(value) and value >= 1),
                              f'{name.replace("_", " ")} must be at least 1, got {value}')
        for each in self.extra:
            key, equals, _ = each.partition('=')
            faults.add_unless(bool(equals), f'{each!r} must be KEY=VALUE')
            faults.add_unless(key not in _PLANNED, f'{key} is set for each run by --seeds, '
                              '--epochs-scale and --batch-size; use those')
        faults.raise_if_any()

    @property
    def model_options(self) -> tuple[str, ...]:
        """The extra settings that change the model."""
        return tuple(each for each in self.extra if each.startswith('model.'))

    def image_folder(self, dataset: str) -> Path | None:
        """Return the folder of images that replaces a data set, if there is one."""
        for folder in (self.data / dataset, self.data):
            if any((folder / 'train').glob('*/*')):
                return folder
        return None

    @property
    def departures(self) -> tuple[str, ...]:
        """All differences between these runs and the paper's, in words; empty if none."""
        said = []
        if self.epochs_scale != 1:
            said.append(f'{self.epochs_scale:g} of the paper\'s epochs')
        if self.images_per_class is not None:
            said.append(f'{self.images_per_class} training images of each class')
        if self.batch_size is not None:
            said.append(f'batch {self.batch_size} for classifiers, the learning rate in proportion')
        if self.amp:
            said.append('mixed precision')
        if self.image_folder('cifar10') is not None:
            said.append('images from a folder, not the published files')
        changed = [each for each in self.extra if not _HARMLESS.search(each.partition('=')[0])]
        if changed:
            said.append(' '.join(changed))
        return tuple(said)

    @property
    def folder_name(self) -> str:
        """Name of the folder that holds the runs with these settings."""
        parts = [f'epochs-{self.epochs_scale:g}' if self.epochs_scale != 1 else '',
                 f'images-{self.images_per_class}' if self.images_per_class else '',
                 f'batch-{self.batch_size}' if self.batch_size else '',
                 'amp' if self.amp else '',
                 'image-folder' if self.image_folder('cifar10') else '']
        return '_'.join(filter(None, parts)) or 'full-length'

    def to_dict(self) -> dict[str, Any]:
        """Return plain values for JSON, without the data's location."""
        return {'epochs_scale': self.epochs_scale, 'seeds': self.seeds,
                'batch_size': self.batch_size, 'images_per_class': self.images_per_class,
                'amp': self.amp, 'extra': list(self.extra), 'departures': list(self.departures)}
