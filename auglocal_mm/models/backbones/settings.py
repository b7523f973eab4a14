"""Settings of the backbones for small images, checked when one is built."""
from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Any

from auglocal_mm.validation import (
    Faults,
    check_bool,
    check_choice,
    check_int,
    check_keys,
    check_number,
    is_int,
    is_number,
    settings_of,
    shown,
)

MAX_CHANNELS = 8192
_REGNET_KEYS = ('w0', 'wa', 'wm', 'group_w', 'depth', 'bot_mul')


def check_backbone(kind: type, settings: Mapping[str, Any]) -> None:
    """Check the settings of a backbone that a config gave.

    Args:
        kind: The backbone's class.
        settings: Those that were given.

    Raises:
        ValueError: Unknown or impossible settings, all listed.
    """
    faults, known = Faults(kind.__name__), settings_of(kind)
    check_keys(faults, settings, known)
    for key, value in settings.items():
        if key in known and key in _CHECKS:
            _CHECKS[key](faults, key, value)
    if not faults.messages and 'num_stages' in settings:
        _check_stages(faults, settings)
    faults.raise_if_any()


def _check_stages(faults: Faults, settings: Mapping[str, Any]) -> None:
    stages = settings['num_stages']
    for key in ('strides', 'dilations'):
        faults.add_unless(len(settings[key]) == stages, f'{key} must have num_stages={stages} '
                          f'values, got {shown(settings[key])}')
    faults.add_unless(all(0 <= index < stages for index in settings['out_indices']),
                      f'out_indices must be from 0 to {stages - 1}, the last of num_stages='
                      f'{stages}, got {shown(settings["out_indices"])}')


def check_arch(faults: Faults, name: str, value: object) -> None:
    """Check an architecture: its name, or RegNet's description of depth and widths."""
    if isinstance(value, str):
        return  # The host knows the names.
    if not isinstance(value, Mapping):
        faults.add_unless(False, f'{name} must be a name or a dict, got {shown(value)}')
        return
    check_keys(faults, value, _REGNET_KEYS, place=name)
    missing = [key for key in _REGNET_KEYS if key not in value]
    faults.add_unless(not missing, f'{name} must have the keys {", ".join(_REGNET_KEYS)}, got '
                                   f'{shown(dict(value))}')
    for key, check in (
            ('w0', partial(check_int, low=8, high=MAX_CHANNELS)),
            ('wa', partial(check_number, low=0, high=MAX_CHANNELS)),
            ('wm', partial(check_number, low=1, high=100, above=True)),
            ('group_w', partial(check_int, low=1, high=MAX_CHANNELS)),
            ('depth', partial(check_int, low=1, high=1000)),
            ('bot_mul', partial(check_number, low=0, high=100, above=True))):
        if key in value:
            check(faults, f'{name}.{key}', value[key])


def _check_numbers(faults: Faults, name: str, value: object, *, low: int, high: int) -> None:
    holds = isinstance(value, (list, tuple)) and bool(value) and all(
        is_int(each) and low <= each <= high for each in value)
    faults.add_unless(holds, f'{name} must be a list of integers from {low} to {high}, got '
                             f'{shown(value)}')


def _check_cfg(faults: Faults, name: str, value: object) -> None:
    faults.add_unless(value is None or (isinstance(value, Mapping) and 'type' in value),
                      f'{name} must be None or a dict with a type, got {shown(value)}')


def _check_layer_cfg(faults: Faults, name: str, value: object) -> None:
    faults.add_unless(isinstance(value, Mapping) and 'type' in value,
                      f'{name} must be a dict with a type, got {shown(value)}')


def _check_init(faults: Faults, name: str, value: object) -> None:
    entries = value if isinstance(value, (list, tuple)) else [value]
    holds = value is None or all(isinstance(each, Mapping) and 'type' in each for each in entries)
    faults.add_unless(holds, f'{name} must be None, a dict with a type or a list of them, got '
                             f'{shown(value)}')


def _check_expansion(faults: Faults, name: str, value: object) -> None:
    check_int(faults, name, value, 1, 64, optional=True)


def _check_share(faults: Faults, name: str, value: object) -> None:
    # At 1, a kept path would be divided by zero.
    faults.add_unless(is_number(value) and 0 <= value < 1,  # type: ignore[operator]
                      f'{name} must be a number of at least 0 and below 1, got {shown(value)}')


_channels = partial(check_int, low=1, high=MAX_CHANNELS)
_stages = partial(_check_numbers, low=-16, high=16)
_CHECKS: dict[str, Any] = {
    'act_cfg': _check_layer_cfg,
    'arch': check_arch,
    'avg_down': check_bool,
    'base_channels': _channels,
    'conv_cfg': _check_cfg,
    'deep_stem': check_bool,
    'dilations': partial(_check_numbers, low=1, high=16),
    'drop_path_rate': _check_share,
    'expansion': _check_expansion,
    'frozen_stages': partial(check_int, low=-1, high=16),
    'in_channels': _channels,
    'init_cfg': _check_init,
    'norm_cfg': _check_layer_cfg,
    'norm_eval': check_bool,
    'num_stages': partial(check_int, low=1, high=4),
    'out_indices': _stages,
    'stem_channels': _channels,
    'strides': partial(_check_numbers, low=1, high=16),
    'style': partial(check_choice, choices=('pytorch', 'caffe')),
    'widen_factor': partial(check_number, low=0, high=100, above=True),
    'with_cp': check_bool,
    'zero_init_residual': check_bool,
}
