"""Checks, before anything is started, that the runs' data is present."""
from __future__ import annotations

from collections.abc import Sequence

from mmengine.config import Config, DictAction

from auglocal_mm.datasets.check import check_data
from auglocal_mm.lab.runs.run import Run

from .steps import Train


def check_data_of(runs: Sequence[Run]) -> None:
    """Check for the data of every unfinished training run, including the detectors'.

    Raises:
        MissingDataError: Data is missing; the error says what, where and how to get it.
    """
    seen = set()
    for run in runs:
        for step in run.steps:
            if not isinstance(step, Train) or step.done() or '--image-folder' in step.arguments:
                continue
            places = tuple(each for each in step.options if 'data_root=' in each)
            if (step.config, places) not in seen:
                seen.add((step.config, places))
                check_data(_config_of(step), splits=('train', 'val'))


def _config_of(step: Train) -> Config:
    """Return the config as the training run will see it."""
    cfg = Config.fromfile(step.root / step.config)
    pairs = (option.split('=', 1) for option in step.options)
    # As mmengine's parser of --cfg-options reads them, which has no public function.
    cfg.merge_from_dict({key: DictAction._parse_iterable(text) for key, text in pairs})
    return cfg
