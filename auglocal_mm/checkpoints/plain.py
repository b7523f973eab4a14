"""Plain equivalents of values, so that what goes into a checkpoint can be read back safely."""
from __future__ import annotations

import datetime
from collections import Counter, OrderedDict, deque
from collections.abc import Mapping, Set
from pathlib import PurePath
from typing import Any

import numpy as np
import torch
from mmengine.logging import HistoryBuffer
from torch import Tensor

from .stand_ins import DTYPES

#: Kept as they are: :func:`~auglocal_mm.checkpoints.read_checkpoint` returns them.
_KEPT = (type(None), bool, int, float, complex, str, bytes, bytearray, Tensor, HistoryBuffer,
         torch.Size, torch.dtype, torch.device)
#: Deepest nesting that is followed; honest values have less than ten levels.
LEVELS = 100


def plain(value: Any, place: str, faults: list[str], *, level: int = 0) -> Any:
    """Return an equivalent of a value that the safe reader reads back.

    NumPy's strings, numbers and arrays of anything but plain numbers become Python's
    values. Paths and dates become text, ranges and deques become lists, other mappings
    become dicts, and frozen sets become sets.

    Args:
        value: Anything.
        place: Its key, dotted, for `faults`.
        faults: Gets a line for each part that has no equivalent; its text stands in.
        level: Depth of nesting.
    """
    if type(value) is bytes and not value:
        return bytearray()  # Equal, and torch's pickles can say it without naming a function.
    if type(value) in _KEPT or isinstance(value, (Tensor, HistoryBuffer)):
        return value
    if level > LEVELS:
        faults.append(f'{place} has more than {LEVELS} levels or contains itself')
        return str(type(value))

    def inner(part: Any, key: Any) -> Any:
        return plain(part, f'{place}.{key}' if place else str(key), faults, level=level + 1)

    if isinstance(value, Mapping):
        kind: Any = type(value) if type(value) in (OrderedDict, Counter) else dict
        items = {_key(key): inner(part, key) for key, part in value.items()}
        if len(items) != len(value):
            faults.append(f'{place} has keys whose text is the same')
        return kind(items)
    if isinstance(value, (np.ndarray, np.generic)):
        return _of_numpy(value, inner)
    if isinstance(value, (tuple, list, deque, range)):
        parts = [inner(part, index) for index, part in enumerate(value)]
        return tuple(parts) if isinstance(value, tuple) else parts
    if isinstance(value, Set):
        parts = [inner(part, index) for index, part in enumerate(value)]
        try:
            return set(parts)
        except TypeError:
            return parts
    scalar = _of_scalar(value)
    if scalar is None:
        kind = type(value)
        faults.append(f'{place or "the value"} is a {kind.__module__}.{kind.__qualname__}')
        return str(value)
    return scalar


def _of_numpy(value: Any, inner: Any) -> Any:
    name = value.dtype.str[1:]
    if DTYPES.fullmatch(name):
        # The reader does not know subclasses of arrays.
        return np.asarray(value) if isinstance(value, np.ndarray) else value
    if value.dtype.kind in 'mM':
        value = value.astype(str)
    elif value.dtype.kind in 'fc':  # Longer than Python's own.
        return value.astype('c16' if value.dtype.kind == 'c' else 'f8')
    elements = value.tolist()
    return inner(elements, 'tolist') if isinstance(elements, (list, tuple)) else (
        str(elements) if isinstance(elements, str) else inner(elements, 'item'))


def _of_scalar(value: Any) -> Any:
    """Return the equivalent of what holds no other values; ``None`` if there is none."""
    if isinstance(value, PurePath):
        return str(value)
    if isinstance(value, (datetime.date, datetime.time)):
        return value.isoformat()
    if isinstance(value, datetime.timedelta):
        return value.total_seconds()
    if isinstance(value, type):
        return f'{value.__module__}.{value.__qualname__}'
    kinds: tuple[Any, ...] = (int, float, complex, str, bytes, bytearray)
    for kind in kinds:  # and what is derived from them
        if isinstance(value, kind):
            # `str` would call the text's own __str__, which may say something else.
            return kind(value) if kind is not str else str.__str__(value)
    return None


def _key(key: Any) -> Any:
    if type(key) in (str, int, float, bool, type(None)):
        return key
    if isinstance(key, tuple):
        return tuple(_key(part) for part in key)
    if isinstance(key, np.generic):
        return _key(key.item())
    for kind in (int, float):
        if isinstance(key, kind):
            return kind(key)
    return str.__str__(key) if isinstance(key, str) else str(key)
