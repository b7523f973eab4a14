"""STL-10's labelled images."""
from __future__ import annotations

from pathlib import Path

import numpy as np

from auglocal_mm.registry import DATASETS

from .arrays import ArrayDataset
from .errors import DataError
from .preparation.sources import STL10 as SOURCE

SIDE_PX = 96


@DATASETS.register_module()
class STL10(ArrayDataset):
    """STL-10's labelled images: 5,000 + 8,000 of 96x96 in 10 classes.

    Reads ``stl10_binary/{train,test}_{X,y}.bin`` as published: an image's channels one
    after another, each column by column, and labels from 1 to 10.
    Arguments and samples are those of :class:`~auglocal_mm.datasets.arrays.ArrayDataset`.
    """

    METAINFO = {'classes': ('airplane', 'bird', 'car', 'cat', 'deer', 'dog', 'horse', 'monkey',
                            'ship', 'truck')}
    source = SOURCE
    counts = {'train': 5_000, 'test': 8_000}

    def read(self, root: Path) -> tuple[np.ndarray, np.ndarray]:
        """Read the split's two files."""
        folder = root / 'stl10_binary'
        path = folder / f'{self.split}_X.bin'
        if path.stat().st_size % (3 * SIDE_PX**2):
            raise DataError(f'{path.absolute()} has {path.stat().st_size:,} bytes, expected a '
                            f'multiple of {3 * SIDE_PX**2:,}, the size of an image')
        # A memory map, so that the pixels are in memory only once: in the new order.
        stored = np.memmap(path, dtype=np.uint8, mode='r').reshape(-1, 3, SIDE_PX, SIDE_PX)
        labels = np.fromfile(folder / f'{self.split}_y.bin', dtype=np.uint8)
        return np.ascontiguousarray(stored.transpose(0, 3, 2, 1)), labels.astype(np.int64) - 1
