"""Street View House Numbers, in the cropped format."""
from __future__ import annotations

from pathlib import Path

import numpy as np

from auglocal_mm.registry import DATASETS

from .arrays import ArrayDataset
from .errors import DataError
from .preparation.sources import SVHN as SOURCE


@DATASETS.register_module()
class SVHN(ArrayDataset):
    """SVHN's cropped digits: 73,257 + 26,032 images of 32x32, without the extra split.

    Reads ``train_32x32.mat`` and ``test_32x32.mat`` as published. Their label 10, the
    digit 0, is 0 here. Arguments and samples are those of
    :class:`~auglocal_mm.datasets.arrays.ArrayDataset`.

    Raises:
        ModuleNotFoundError: SciPy is missing.
    """

    METAINFO = {'classes': tuple('0123456789')}
    source = SOURCE
    counts = {'train': 73_257, 'test': 26_032}

    def read(self, root: Path) -> tuple[np.ndarray, np.ndarray]:
        """Read the split's file: pixels (32, 32, 3, n), labels (n, 1) from 1 to 10."""
        scipy_io = _import_scipy_io()
        path = root / f'{self.split}_32x32.mat'
        try:
            content = scipy_io.loadmat(path, variable_names=('X', 'y'))
            pixels, labels = content['X'], content['y'].reshape(-1).astype(np.int64)
        # scipy raises NotImplementedError for MATLAB's newer format.
        except (KeyError, ValueError, TypeError, NotImplementedError,
                scipy_io.matlab.MatReadError) as error:
            raise DataError(f'{path.absolute()} cannot be read as SVHN\'s ({error})') from error
        if pixels.ndim != 4 or pixels.shape[:3] != (32, 32, 3) or pixels.dtype != np.uint8:
            raise DataError(f'{path.absolute()} holds pixels of shape {pixels.shape}, '
                            f'{pixels.dtype}, expected (32, 32, 3, n), uint8')
        labels[labels == 10] = 0
        return np.ascontiguousarray(pixels.transpose(3, 0, 1, 2)), labels


def _import_scipy_io():  # type: ignore[no-untyped-def]
    """Import ``scipy.io``, or say how to install it."""
    try:
        import scipy.io
    except ModuleNotFoundError as error:
        raise ModuleNotFoundError('SVHN\'s files are read by scipy, which is not installed: '
                                  'pip install scipy', name=error.name) from error
    return scipy.io
