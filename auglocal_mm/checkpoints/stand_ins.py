"""What a checkpoint's pickle may name besides tensors, and what answers for it.

A runner's checkpoint holds its loss history: mmengine's ``HistoryBuffer`` over NumPy
arrays. Neither is handed to an unpickler. A pickle that sets the state of a real
``np.dtype`` can turn bytes into pointers, and one that reaches ``HistoryBuffer`` can
change it for the whole process. So records of plain values answer in their place, and
:func:`genuine` builds the real objects from them once the file has been read.
"""
from __future__ import annotations

import re
from collections import Counter, OrderedDict
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from mmengine.logging import HistoryBuffer
from torch import Tensor

#: Kinds of numbers, as a pickled dtype writes them.
DTYPES = re.compile(r'b1|[iu][1248]|f[248]|c(8|16)')
#: Statistics that every history has; a pickled one names them by ``getattr``.
STATISTICS = ('min', 'max', 'mean', 'current')
PLAIN = (type(None), bool, int, float, complex, str, bytes, bytearray, slice, np.generic,
         torch.Size, torch.dtype, torch.device, torch.layout)
#: Deepest nesting of containers; mmengine's own files have less than ten levels.
LEVELS = 200


class ForbiddenError(Exception):
    """A pickle asks for something that no honest checkpoint holds."""


class DtypeRecord:
    """Answers for ``numpy.dtype``: the name and byte order of a plain number."""

    def __init__(self, name: Any = None, align: Any = False, copy: Any = True) -> None:
        if not (isinstance(name, str) and DTYPES.fullmatch(name)):
            raise ForbiddenError(f'a NumPy array of dtype {name!r}, not of plain numbers')
        self.dtype = np.dtype(name)

    def __setstate__(self, state: Any) -> None:
        # Version, byte order, then subarray, names and fields, which plain numbers lack.
        order, *rest = state[1:] if isinstance(state, tuple) and len(state) >= 8 else (None,)
        if order not in ('<', '>', '=', '|') or any(part is not None for part in rest[:3]):
            raise ForbiddenError('a NumPy dtype with parts, not of plain numbers')
        self.dtype = self.dtype.newbyteorder(order)


class ArrayRecord:
    """Answers for ``numpy.ndarray``: shape, dtype, order and bytes."""

    def __init__(self) -> None:
        self.array = np.zeros(0)

    def __setstate__(self, state: Any) -> None:
        try:
            _, shape, dtype, in_fortran_order, content = state
            values = np.frombuffer(content, dtype.dtype)
            # Copied, because an array over bytes is read-only.
            self.array = values.reshape(shape, order='F' if in_fortran_order else 'C').copy('K')
        except (AttributeError, TypeError, ValueError) as error:
            raise ForbiddenError('a NumPy array whose bytes do not fit its shape') from error


class HistoryRecord:
    """Answers for mmengine's ``HistoryBuffer``."""

    def __init__(self) -> None:
        self.state: dict[str, Any] = {}

    def __setstate__(self, state: Any) -> None:
        if not isinstance(state, dict):
            raise ForbiddenError('a log history without values')
        self.state = state


@dataclass(frozen=True)
class StatisticRecord:
    """Answers for one of :data:`STATISTICS`, which every new history has by itself."""
    name: str


def array_record(kind: Any, shape: Any, code: Any) -> ArrayRecord:
    """Answer for NumPy's ``_reconstruct``, which makes an empty array for a state to fill."""
    return ArrayRecord()


def scalar(dtype: Any, content: Any = b'') -> Any:
    """Answer for NumPy's ``scalar``: one number of a plain dtype."""
    try:
        return np.frombuffer(content, dtype.dtype)[0]
    except (AttributeError, IndexError, TypeError, ValueError) as error:
        raise ForbiddenError('a NumPy number whose bytes do not fit its dtype') from error


def no_bytes() -> bytes:
    """Answer for ``bytes``, by which an array without elements is pickled."""
    return b''


def statistic(owner: Any, name: Any) -> StatisticRecord:
    """Answer for ``getattr``, by which a pickled history names its own statistics."""
    if owner is not HistoryRecord or name not in STATISTICS:
        raise ForbiddenError(f'getattr of {getattr(owner, "__name__", owner)!r}, {name!r}')
    return StatisticRecord(name)


#: Full name in a pickle -> what answers for it.
ANSWERS: dict[str, Any] = {
    'mmengine.logging.history_buffer.HistoryBuffer': HistoryRecord,
    'builtins.getattr': statistic,
    '__builtin__.getattr': statistic,
    'builtins.bytes': no_bytes,
    '__builtin__.bytes': no_bytes,
    'builtins.slice': slice,
    'numpy.dtype': DtypeRecord,
    'numpy.ndarray': ArrayRecord,
    **{f'numpy.{core}.multiarray.{name}': answer for core in ('core', '_core')
       for name, answer in (('_reconstruct', array_record), ('scalar', scalar))},
}


def genuine(value: Any, *, place: str = '', seen: dict[int, Any] | None = None,
            level: int = 0) -> Any:
    """Return a copy in which records are the objects that they answer for.

    Tensors keep their storage and lose hooks and attributes. What occurs twice is one
    object in the copy, too.

    Args:
        value: What was read.
        place: Its key, dotted, for messages.
        seen: Copies by the identity of what they were made from.
        level: Depth of nesting.

    Raises:
        ForbiddenError: Something is neither a tensor nor a plain value, or contains itself.
    """
    seen = {} if seen is None else seen
    if id(value) in seen:
        copy = seen[id(value)]
        if copy is _UNFINISHED:
            raise ForbiddenError(f'{place or "a value"} that contains itself')
        return copy
    if isinstance(value, PLAIN):
        return value
    if level > LEVELS:
        raise ForbiddenError(f'more than {LEVELS} nested containers')
    seen[id(value)] = _UNFINISHED
    seen[id(value)] = copy = _copy(value, place, seen, level + 1)
    return copy


_UNFINISHED = object()


def _copy(value: Any, place: str, seen: dict[int, Any], level: int) -> Any:
    def inner(part: Any, key: Any) -> Any:
        return genuine(part, place=f'{place}.{key}' if place else str(key), seen=seen, level=level)

    kind = type(value)
    if kind in (Tensor, torch.nn.Parameter):
        if value.device.type == 'meta':
            raise ForbiddenError(f'{place}, a tensor without values')
        return value.detach()
    if kind in (dict, OrderedDict, Counter):
        if not all(isinstance(key, (str, int, float, tuple, type(None))) for key in value):
            raise ForbiddenError(f'a key in {place or "the file"} that is no plain value')
        items = {key: inner(part, key) for key, part in value.items()}
        if kind is not OrderedDict:
            return kind(items)
        ordered = OrderedDict(items)
        if '_metadata' in vars(value):  # versions of modules, which load_state_dict reads
            vars(ordered)['_metadata'] = inner(vars(value)['_metadata'], '_metadata')
        return ordered
    if kind in (list, tuple, set):
        return kind(inner(part, index) for index, part in enumerate(value))
    if kind is ArrayRecord:
        return value.array
    if kind is HistoryRecord:
        return _history(value, place)
    named = getattr(value, '__name__', None) or kind.__name__
    raise ForbiddenError(f'{named} in {place or "the file"}, which is no tensor and no plain value')


def _history(record: HistoryRecord, place: str) -> HistoryBuffer:
    parts = [record.state.get(name) for name in ('_log_history', '_count_history')]
    length = record.state.get('max_length')
    if not all(isinstance(part, ArrayRecord) and part.array.ndim == 1 for part in parts) or not (
            isinstance(length, int) and length >= 1) or (
            parts[0].array.shape != parts[1].array.shape):  # type: ignore[union-attr]
        raise ForbiddenError(f'{place}, a log history whose values and counts do not match')
    history = HistoryBuffer(max_length=length)
    history._log_history, history._count_history = (
        part.array for part in parts)  # type: ignore[union-attr]
    return history
