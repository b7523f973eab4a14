"""Before a run: downloads what a config's data sets lack, and lets no unknown pickle be opened."""
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
    """Download what data sets with ``download=True`` lack, and verify what is there.

    mmpretrain's ``CIFAR10`` and ``CIFAR100`` unpickle their files, and compare checksums
    partly by ``assert``, which ``python -O`` leaves out. Here every file is compared on
    every rank before any is opened. Of several ranks one downloads; the others wait at
    the folder's lock. An annotation file that is a pickle is refused, for nothing says
    what is in it.

    Args:
        cfg: A parsed config.
        splits: Which dataloaders to look at.
        sources: Where data sets come from, by the lower-case name of their type.

    Raises:
        DataError: A file is damaged, cannot be downloaded, or is an unverified pickle.
    """
    wanted: dict[tuple[str, Path], bool] = {}
    for dataset in datasets_of(cfg, splits):
        _refuse_pickles(dataset)
        name = kind_of(dataset).lower()
        if name in sources and not is_remote(dataset):
            key = name, root_of(dataset)
            wanted[key] = wanted.get(key, False) or bool(dataset.get('download', True))
    reports = {key: check(sources[key[0]], key[1]) for key in wanted}
    refuse_damaged(list(reports.values()))
    for key, may_download in wanted.items():
        if may_download and not reports[key].is_complete:
            prepare(sources[key[0]], key[1])


def _refuse_pickles(dataset: Mapping[str, Any]) -> None:
    for key, value in dataset.items():
        if isinstance(value, (str, Path)) and str(value).lower().endswith(_PICKLES):
            raise DataError(f'{key}={str(value)!r} of {kind_of(dataset) or "a data set"} is a '
                            'pickle, which can run any code when it is opened; convert it to JSON '
                            'where you trust it')
