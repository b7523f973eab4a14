"""Disk errors, each as one line that says what to do."""
from __future__ import annotations

import errno
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from auglocal_mm.datasets.errors import DataError

_FIXES = {
    errno.ENOSPC: 'free some space, or choose another folder with --root; what is there is kept',
    errno.EDQUOT: 'free some space, or choose another folder with --root; what is there is kept',
    errno.EFBIG: 'the file system or a limit of the process forbids files of this size',
}


@contextmanager
def writing(path: Path) -> Iterator[None]:
    """Turn an ``OSError`` inside into a ``DataError`` that names `path` and a remedy."""
    try:
        yield
    except OSError as error:
        fix = _FIXES.get(error.errno or 0, 'choose a writable folder with --root')
        raise DataError(f'cannot write {path.absolute()}: {error.strerror or error}; '
                        f'{fix}') from error
