"""Reads checkpoints without running code from them, and notices damage."""
from __future__ import annotations

import pickle
import re
import threading
import warnings
import zipfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO

import torch
from torch import Tensor

from .errors import CheckpointError, some
from .literal_config import read_literal_config
from .stand_ins import ANSWERS, ForbiddenError, genuine

#: Pieces in which an archive's members are read for their checksums.
CHUNK_BYTES = 1 << 20
#: Longest reason that a message quotes from torch.
REASON_CHARACTERS = 200


def read_checkpoint(source: str | Path, *, map_location: Any = 'cpu') -> dict[str, Any]:
    """Read a checkpoint without running code from it.

    The file is opened once, so what was checked is what is returned. Allowed are
    tensors, plain values, NumPy arrays of numbers and mmengine's log history. What
    other code allowed ``torch.load`` in this process has no effect here.

    Args:
        source: A file on this machine.
        map_location: As for ``torch.load``.

    Returns:
        The file's dict, with the weights under ``state_dict`` even if the file is
        a bare state dict. Its configs were read as data and are literal.

    Raises:
        CheckpointError: The file is missing, damaged, or holds anything else.
    """
    path = Path(source).expanduser()
    if not path.is_file():
        raise CheckpointError(_missing(source, path))
    try:
        with path.open('rb') as file:
            _verify_checksums(file, path)
            content = _unpickle(file, map_location)
        content = genuine(content)
    except (pickle.UnpicklingError, ForbiddenError) as error:
        raise CheckpointError(
            f'{path} cannot be read without running code from it ({_reason(error)}); '
            'save tensors and plain values only, or fetch the file again') from error
    except CheckpointError:
        raise
    except Exception as error:
        # A pickle is a program. What it raises when its bytes are wrong is not limited.
        raise CheckpointError(f'{path} is damaged or not a checkpoint ({_first_line(error)}); '
                              'fetch or write it again') from error
    return _checked(content, path)


def _missing(source: str | Path, path: Path) -> str:
    if '://' in str(source):
        return (f'{source} is not on this machine; download it first and give the path, so that '
                'it can be read without running code from it')
    if path.is_dir():
        return f'{path} is a folder, not a checkpoint; give a file{_neighbours(path)}'
    return f'no checkpoint at {path}; check the path{_neighbours(path.parent)}'


def _neighbours(folder: Path) -> str:
    names = sorted(p.name for p in folder.glob('*.pth')) if folder.is_dir() else []
    return f' (present: {some(names)})' if names else ''


def _verify_checksums(file: BinaryIO, path: Path) -> None:
    """Compare every member of the archive with its checksum; torch compares none."""
    if file.read(4)[:2] == b'PK' or zipfile.is_zipfile(file):
        member = 'the list of members'
        try:
            with zipfile.ZipFile(file) as archive:
                for info in archive.infolist():
                    member = info.filename
                    with archive.open(info) as content:
                        while content.read(CHUNK_BYTES):
                            pass
        except Exception as error:
            raise CheckpointError(f'{path} is damaged in {member} ({_first_line(error)}); fetch '
                                  'or write it again') from error
    file.seek(0)


# torch's list is the whole process's: threads that read at the same time take turns.
_lock = threading.Lock()


@contextmanager
def _only_our_answers() -> Iterator[None]:
    """Replace what the process allows ``torch.load`` by :data:`ANSWERS`.

    torch keeps one set for the process, and of two entries for a name the set's order
    decides. So ours does not join it.
    """
    with _lock:
        others = torch.serialization.get_safe_globals()
        torch.serialization.clear_safe_globals()
        try:
            torch.serialization.add_safe_globals(
                [(answer, name) for name, answer in ANSWERS.items()])
            yield
        finally:
            torch.serialization.clear_safe_globals()
            torch.serialization.add_safe_globals(others)


def _unpickle(file: BinaryIO, map_location: Any) -> Any:
    with _only_our_answers(), warnings.catch_warnings():
        warnings.simplefilter('ignore')  # about pickle protocols and old storages
        return torch.load(file, map_location=map_location, weights_only=True)


def _reason(error: Exception) -> str:
    if isinstance(error, ForbiddenError):
        return f'it holds {error}'
    cause = error.__cause__ or error.__context__
    if isinstance(cause, ForbiddenError):
        return f'it holds {cause}'
    forbidden = re.search(r'GLOBAL (\S+)', str(error))
    return f'it asks for {forbidden[0]}' if forbidden else 'it is not an archive of tensors'


def _first_line(error: Exception) -> str:
    text = (str(error).strip().splitlines() or [''])[0]
    return f'{type(error).__name__}: {text[:REASON_CHARACTERS]}'


def _checked(content: Any, path: Path) -> dict[str, Any]:
    if not isinstance(content, dict):
        raise CheckpointError(f'{path} holds a {type(content).__name__}, not a dict of weights')
    if 'state_dict' not in content:
        content = {'state_dict': content}
    weights = content['state_dict']
    if not (isinstance(weights, Mapping) and all(isinstance(key, str) for key in weights)
            and any(isinstance(value, Tensor) for value in weights.values())):
        found = f'only {some(map(str, weights))}' if isinstance(weights, Mapping) and weights \
            else f'a {type(weights).__name__} under state_dict' if weights else 'nothing'
        raise CheckpointError(f'{path} holds no weights ({found}); give a file with tensors by '
                              'name, at its top or under state_dict')
    meta = content.get('meta', {})
    if not (isinstance(meta, dict) and all(isinstance(key, str) for key in meta)):
        raise CheckpointError(f'meta of {path} is a {type(meta).__name__}, not a dict of names; '
                              'remove it from the file')
    for key in ('cfg', 'config'):
        # mmengine would run this text as Python.
        text = meta.get(key, '')
        try:
            if not isinstance(text, str):
                raise TypeError(f'it is a {type(text).__name__}, not text')
            read_literal_config(text)
        except (TypeError, ValueError, RecursionError, MemoryError) as error:
            raise CheckpointError(f'meta[{key!r}] of {path} is not a dumped config '
                                  f'({_first_line(error)}); remove it from the file') from error
    return content
