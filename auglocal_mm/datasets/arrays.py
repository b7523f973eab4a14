"""Data sets whose images are one array, held once however many workers read them."""
from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import mmengine.dist as dist
import numpy as np
from mmpretrain.datasets import BaseDataset

from auglocal_mm.validation import Faults, check_bool, check_choice

from .errors import DataError
from .preparation import Source, check, prepare, refuse_damaged, verify
from .settings import IMAGE_KEYS, check_settings


class ArrayDataset(BaseDataset):
    """A downloadable data set in one uint8 array; a subclass reads its files.

    Each sample holds ``img``, a uint8 RGB array of shape (height, width, 3), and
    ``gt_label``, like those of mmpretrain's ``CIFAR10``. The checksums of the split's
    files are compared each time before they are read.

    Args:
        data_root: The folder of the files.
        split: ``'train'`` or ``'test'``.
        metainfo: Meta information that overrides the class names.
        pipeline: Transforms of mmpretrain; an image needs no loading.
        test_mode: As in :class:`mmpretrain.datasets.BaseDataset`.
        download: Download what is missing, on the main rank while the others wait.
            Damaged files are never replaced here.
        **kwargs: Other arguments of :class:`mmpretrain.datasets.BaseDataset`.

    Raises:
        ValueError: A setting is impossible.
        DataError: Files are missing and could not be downloaded, or are damaged.
    """

    source: Source
    #: Number of images of each split.
    counts: dict[str, int]

    def __init__(self, *, data_root: str, split: str = 'train',
                 metainfo: dict[str, Any] | None = None, pipeline: Sequence[Any] = (),
                 test_mode: bool = False, download: bool = True, **kwargs: Any) -> None:
        self.check({'split': split, 'download': download, 'data_root': data_root,
                    'metainfo': metainfo, 'pipeline': pipeline, 'test_mode': test_mode, **kwargs})
        self.split = split
        self.download = download
        # Before the base class's constructor, which loads the data.
        self.images = np.empty(0, dtype=np.uint8)
        super().__init__(ann_file='', data_root=data_root, metainfo=metainfo, pipeline=pipeline,
                         test_mode=test_mode, **kwargs)

    @classmethod
    def check(cls, settings: Mapping[str, Any]) -> None:
        """Check settings without looking at any file.

        Raises:
            ValueError: Settings are impossible; all faults are listed.
        """
        faults = Faults(cls.__name__)
        check_choice(faults, 'split', settings.get('split', 'train'), tuple(cls.counts))
        check_bool(faults, 'download', settings.get('download', True))
        check_settings(faults, ('split', 'download', *IMAGE_KEYS), settings,
                       required=('data_root',))
        faults.raise_if_any()

    def read(self, root: Path) -> tuple[np.ndarray, np.ndarray]:
        """Read the split's images, uint8 (n, height, width, 3), and labels from 0, (n,)."""
        raise NotImplementedError

    def load_data_list(self) -> list[dict[str, Any]]:
        """Return one ``dict(image_index=..., gt_label=...)`` per image of the split."""
        root = Path(self.data_root).expanduser()
        if self.download:
            prepare_once(self.source, root)
        verify(self.source, root, split=self.split)
        self.images, labels = self.read(root)
        expected, classes = self.counts[self.split], len(self.METAINFO['classes'])
        if len(self.images) != expected or len(labels) != expected or not (
                labels.min() >= 0 and labels.max() < classes):
            raise DataError(
                f'{self.source.title}, split {self.split}, in {root.absolute()}: '
                f'{len(self.images):,} images and {len(labels):,} labels from {labels.min()} to '
                f'{labels.max()}, expected {expected:,} of each, from 0 to {classes - 1}')
        # mmengine pickles this list, so it holds no pixels.
        return [{'image_index': index, 'gt_label': int(label)}
                for index, label in enumerate(labels)]

    def get_data_info(self, idx: int) -> dict[str, Any]:
        """Return a sample with a copy of its image."""
        sample = super().get_data_info(idx)
        # A transform may work in place.
        sample['img'] = self.images[sample.pop('image_index')].copy()
        return sample

    def extra_repr(self) -> list[str]:
        """Return the lines that ``repr`` adds to those of every data set."""
        return [f'Split: \t{self.split}', f'Folder: \t{self.data_root}']


def prepare_once(source: Source, root: Path) -> None:
    """Download missing files on the main rank; if that fails, it fails on every rank.

    Raises:
        DataError: The download failed, or an existing file is not what its name says;
            the user decides what to do with that one.
    """
    fault: list[str | None] = [None]
    if dist.is_main_process():
        try:
            # Only a look: every rank compares the checksums afterwards.
            if not all((root / file.path).exists() for file in source.files):
                refuse_damaged([check(source, root)])
                prepare(source, root)
        except DataError as error:
            fault[0] = str(error)
    # The other ranks wait here, whether it went well or not.
    dist.broadcast_object_list(fault)
    if fault[0] is not None:
        raise DataError(fault[0])
