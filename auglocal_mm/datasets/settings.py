"""Settings that our data sets share with OpenMMLab's, checked when a data set is built."""
from __future__ import annotations

from collections.abc import Mapping
from os import PathLike
from typing import Any

from auglocal_mm.validation import Faults, check_bool, check_int, check_keys, is_int, shown

_SHARED_KEYS = ('data_root', 'filter_cfg', 'indices', 'lazy_init', 'max_refetch', 'pipeline',
                'serialize_data', 'test_mode')
#: What our data sets of images, and those of scenes, pass on to OpenMMLab's.
IMAGE_KEYS = (*_SHARED_KEYS, 'classes', 'data_prefix', 'metainfo')
SCENE_KEYS = (*_SHARED_KEYS, 'backend_args', 'caption_prompt', 'file_client_args',
              'proposal_file', 'return_classes', 'seg_map_suffix')
MAX_REFETCH = 1_000_000


def check_settings(faults: Faults, known: tuple[str, ...], settings: Mapping[str, Any], *,
                   required: tuple[str, ...] = ()) -> None:
    """Check the settings that a config gave, by name; those left out are not looked at.

    Args:
        faults: Collects the faults.
        known: Names of all settings.
        settings: The data set's settings.
        required: Names of those that must be there.
    """
    check_keys(faults, settings, known)
    for name in required:
        faults.add_unless(name in settings, f'{name} is missing')
    for name, check in _CHECKS.items():
        if name in settings:
            check(faults, name, settings[name])


def _check_path(faults: Faults, name: str, value: object) -> None:
    # Python refuses a zero byte in a path without telling which path.
    faults.add_unless(isinstance(value, (str, PathLike)) and '\0' not in str(value),
                      f'{name} must be the path of a folder, got {shown(value)}')


def _check_mapping(faults: Faults, name: str, value: object) -> None:
    faults.add_unless(value is None or isinstance(value, Mapping),
                      f'{name} must be None or a dict, got {shown(value)}')


def _check_pipeline(faults: Faults, name: str, value: object) -> None:
    holds = isinstance(value, (list, tuple)) and all(
        callable(step) or (isinstance(step, Mapping) and 'type' in step) for step in value)
    faults.add_unless(holds, f'{name} must be a list of transforms, each a dict with a type, got '
                             f'{shown(value)}')


def _check_indices(faults: Faults, name: str, value: object) -> None:
    many = isinstance(value, (list, tuple)) and value and all(is_int(each) for each in value)
    faults.add_unless(value is None or (is_int(value) and value != 0) or bool(many),
                      f'{name} must be None, a number of samples or a list of indices, got '
                      f'{shown(value)}')


def _check_classes(faults: Faults, name: str, value: object) -> None:
    many = isinstance(value, (list, tuple)) and all(isinstance(each, str) for each in value)
    faults.add_unless(value is None or isinstance(value, str) or many,
                      f'{name} must be None, the path of a file or a list of names, got '
                      f'{shown(value)}')


def _check_prefix(faults: Faults, name: str, value: object) -> None:
    parts = value.values() if isinstance(value, Mapping) else [value]
    faults.add_unless(all(isinstance(part, str) for part in parts),
                      f'{name} must be a path or a dict of paths, got {shown(value)}')


def _check_refetch(faults: Faults, name: str, value: object) -> None:
    check_int(faults, name, value, 0, MAX_REFETCH)


_CHECKS = {
    'data_root': _check_path,
    'metainfo': _check_mapping,
    'pipeline': _check_pipeline,
    'test_mode': check_bool,
    'serialize_data': check_bool,
    'lazy_init': check_bool,
    'max_refetch': _check_refetch,
    'indices': _check_indices,
    'filter_cfg': _check_mapping,
    'classes': _check_classes,
    'data_prefix': _check_prefix,
}
