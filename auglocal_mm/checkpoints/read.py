"""Reads checkpoints without running code from them."""
from __future__ import annotations

import pickle
import re
from pathlib import Path
from typing import Any

import torch

from .errors import SHOWN_KEYS, CheckpointError
from .literal_config import read_literal_config
from .safe_globals import allow_runner_checkpoints


def read_checkpoint(source: str | Path) -> dict[str, Any]:
    """Read a checkpoint without running code from it.

    Returns:
        The file's dict, with the weights under ``state_dict`` even if the file is
        a bare state dict.

    Raises:
        CheckpointError: The file is missing, damaged, or holds more than tensors,
            plain values and mmengine's log history.
    """
    path = Path(source)
    if '://' in str(source):
        raise CheckpointError(f'{source} is not on this machine; download it first and give the '
                              'path, so that it can be read without running code from it')
    if not path.is_file():
        raise CheckpointError(f'no checkpoint at {path}; check the path'
                              + _neighbours(path))
    allow_runner_checkpoints()
    try:
        content = torch.load(path, map_location='cpu', weights_only=True)
    except pickle.UnpicklingError as error:
        forbidden = re.search(r'GLOBAL (\S+)|getattr of .*', str(error))
        reason = f'it asks for {forbidden[0]}' if forbidden else 'it is not an archive of tensors'
        raise CheckpointError(
            f'{path} cannot be read without running code from it ({reason}); '
            'save tensors and plain values only, or fetch the file again') from error
    except (RuntimeError, EOFError, OSError, ValueError) as error:
        raise CheckpointError(f'{path} is damaged or not a checkpoint ({error}); fetch or write '
                              'it again') from error
    if not isinstance(content, dict):
        raise CheckpointError(f'{path} holds a {type(content).__name__}, not a dict of weights')
    if 'state_dict' not in content:
        return {'state_dict': content}
    for key in ('cfg', 'config'):
        # mmengine would run this text as Python.
        text = content.get('meta', {}).get(key)
        try:
            read_literal_config(text or '')
        except (TypeError, ValueError) as error:
            raise CheckpointError(f'meta[{key!r}] of {path} is not a dumped config ({error}); '
                                  'remove it from the file') from error
    return content


def _neighbours(path: Path) -> str:
    names = sorted(p.name for p in path.parent.glob('*.pth')) if path.parent.is_dir() else []
    return f' (present: {", ".join(names[:SHOWN_KEYS])})' if names else ''
