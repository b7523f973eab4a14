"""Before a run: downloads missing data, and refuses to open unknown pickles."""
from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from .check import SPLITS, datasets_of, is_remote, kind_of, root_of
from .errors import DataError
from .preparation import SOURCES, Source, check, prepare, refuse_damaged

_PICKLES = ('.pkl', '.pickle')


def provide_data(cfg: Mapping[str, Any], *, splits: Sequence[str] = SPLITS,
                 sources: Mapping[str, Source] = SOURCES) -> None:
    """Download what data sets with ``download=True`` lack, and verify existing files.

    mmpretrain's ``CIFAR10`` and ``CIFAR100`` unpickle their files, and compare checksums
    partly by ``assert``, which ``python -O`` leaves out. Here every rank compares every
    file before any is opened. If there are several ranks, one downloads and the others
    wait for the folder's lock. An annotation file that is a pickle is refused, because
    its content cannot be known.

    Args:
        cfg: A parsed config.
        splits: Which dataloaders to check.
        sources: Sources of data sets, by the lower-case name of their type.

    Raises:
        DataError: A file is damaged, cannot be downloaded, or is an unverified pickle.
    """
    wanted: dict[tuple[str, Path], bool] = {}
    for dataset in datasets_of(cfg, splits):
        _refuse_pickles(dataset)
        name = kind_of(dataset).lower()
        if name in sources and not is_remote(dataset):
            # The splits of a data set share its folder.
            key = name, root_of(dataset)
            # Data sets of mmpretrain's and ours download unless told otherwise.
            wanted[key] = wanted.get(key, False) or bool(dataset.get('download', True))
    reports = {key: check(sources[key[0]], key[1]) for key in wanted}
    # Before any download: a run that is refused should not wait for one.
    refuse_damaged(list(reports.values()))
    for key, may_download in wanted.items():
        if may_download and not reports[key].is_complete:
            prepare(sources[key[0]], key[1])


def _refuse_pickles(dataset: Mapping[str, Any]) -> None:
    for key, value in dataset.items():
        if isinstance(value, (str, Path)) and str(value).lower().endswith(_PICKLES):
            raise DataError(f'{key}={str(value)!r} of {kind_of(dataset) or "a data set"} is a '
                            'pickle, which can run any code when it is opened; convert it to JSON '
                            'if you trust it')
