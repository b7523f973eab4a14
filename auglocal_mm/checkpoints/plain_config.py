"""Makes sure, before a run starts, that its config can be read back from its checkpoints."""
from __future__ import annotations

import math
from importlib import import_module
from types import BuiltinFunctionType, FunctionType
from typing import Any

import numpy as np
from mmengine.config import Config

from .literal_config import read_literal_config
from .plain import plain

#: What mmengine's dump writes as a literal or as a dotted name.
_DUMPED = (type(None), bool, int, float, complex, str, bytes)


def require_plain_config(cfg: Config) -> None:
    """Replace what a dump cannot express by plain equivalents; refuse what has none.

    Paths become text, NumPy's arrays and ranges lists, and so on, as in
    :func:`~auglocal_mm.checkpoints.plain.plain`. Classes stay; a dump names them.

    Raises:
        ValueError: Names every key whose value could not be read from a checkpoint.
    """
    faults: list[str] = []
    for key in list(cfg._cfg_dict):
        value = cfg._cfg_dict[key]
        converted = _convert(value, key, key, faults)
        if converted is not value:
            cfg._cfg_dict[key] = converted
    if not faults:
        data = with_names(cfg.to_dict())
        if not _reads_back(data):
            faults += [f'{place} is {value!r:.80}' for place, value in _culprits(data, '')]
    if faults:
        raise ValueError(
            f'{"; ".join(faults)}: a checkpoint could not hold this in its config. Use numbers, '
            'strings, lists, dicts and classes only, and names for keys')


def recorded_text(cfg: Config) -> str:
    """Return the config as a checkpoint holds it: as mmengine dumps it, with names for classes."""
    return Config(with_names(cfg.to_dict())).pretty_text


def with_names(value: Any) -> Any:
    """Return a copy in which full names stand for classes."""
    if isinstance(value, type):
        builtin = value.__module__ == 'builtins'
        return value.__name__ if builtin else f'{value.__module__}.{value.__name__}'
    if isinstance(value, dict):
        return {key: with_names(part) for key, part in value.items()}
    if isinstance(value, (list, tuple)):
        return type(value)(with_names(part) for part in value)
    return value


def _convert(value: Any, key: Any, place: str, faults: list[str]) -> Any:
    """Return the equivalent of a value; dicts and lists are changed in place."""
    if type(value) in _DUMPED or isinstance(value, type):
        return value
    if isinstance(value, dict) or type(value) is list:
        for inner in list(value) if isinstance(value, dict) else range(len(value)):
            part = value[inner]
            converted = _convert(part, inner, f'{place}.{inner}', faults)
            if converted is not part:
                value[inner] = converted
        return value
    if type(value) in (tuple, set):
        parts = [_convert(part, index, f'{place}.{index}', faults)
                 for index, part in enumerate(value)]
        return type(value)(parts)
    if isinstance(value, (FunctionType, BuiltinFunctionType)):
        name = f'{value.__module__}.{value.__qualname__}'
        if key == 'type' and _imported(name) is value:
            return name
        faults.append(f'{place} is the function {name}')
        return value
    found = len(faults)
    converted = plain(value, place, faults)
    if isinstance(converted, (np.ndarray, np.generic)):
        converted = converted.tolist()
    elif isinstance(converted, bytearray):
        converted = bytes(converted)
    if len(faults) == found and type(converted) not in (*_DUMPED, list, tuple, set, dict):
        faults.append(f'{place} is a {type(value).__module__}.{type(value).__qualname__}')
    if type(converted) in (list, tuple, set):
        return _convert(converted, key, place, faults)
    return value if len(faults) > found else converted


def _imported(name: str) -> Any:
    module, _, attribute = name.rpartition('.')
    try:
        return getattr(import_module(module), attribute, None)
    except (ImportError, ValueError):
        return None


def _reads_back(data: dict) -> bool:
    try:
        # Not formatted: yapf is slow, and changes the layout alone.
        return _same(read_literal_config(Config(data, format_python_code=False).pretty_text), data)
    except Exception:
        # A key that is a keyword, one that mmengine keeps for itself, too many levels…
        return False


def _culprits(value: Any, place: str) -> list[tuple[str, Any]]:
    """Return the innermost parts that do not read back, with their dotted keys."""
    if isinstance(value, dict):
        parts = list(value.items())
        keys = [(f'{place}.{key}'.lstrip('.'), f'a key, {key!r}') for key, _ in parts
                if not (isinstance(key, str) if not place else True)
                or not _reads_back({key: 1} if not place else {'x': {key: 1}})]
        if keys:
            return keys
    elif isinstance(value, (list, tuple)):
        parts = list(enumerate(value))
    else:
        return [(place, value)]
    found = [each for key, part in parts if not _reads_back({'x': part})
             for each in _culprits(part, f'{place}.{key}'.lstrip('.'))]
    return found or [(place or 'the config', type(value).__name__)]


def _same(one: Any, other: Any) -> bool:
    """Compare as ``==`` does, with NaN equal to itself and lists unequal to tuples."""
    if isinstance(one, dict) and isinstance(other, dict):
        return one.keys() == other.keys() and all(_same(one[key], other[key]) for key in one)
    if isinstance(one, (list, tuple)) and isinstance(other, (list, tuple)):
        return (isinstance(one, tuple) == isinstance(other, tuple) and len(one) == len(other)
                and all(_same(*pair) for pair in zip(one, other, strict=True)))
    if isinstance(one, float) and isinstance(other, float) and math.isnan(one):
        return math.isnan(other)
    return bool(one == other) and isinstance(one, bool) == isinstance(other, bool)
