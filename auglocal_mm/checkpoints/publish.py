"""A trained model as a file to share: weights and their description, nothing else."""
from __future__ import annotations

import hashlib
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch

from auglocal_mm.files import put_in_place, unfinished

from .complete import verify_complete
from .errors import CheckpointError
from .own_model import own_model
from .read import read_checkpoint
from .starting_weights import require_finite
from .write import save

#: What a training run records about itself and users of its weights need.
KEPT_META = ('cfg', 'dataset_meta', 'epoch', 'iter', 'seed', 'mmengine_version')
#: Digits of the checksum in the file name, as in OpenMMLab's own files.
DIGITS = 8


def publish_model(checkpoint: str | Path, out: str | Path, *,
                  config: str | Path | None = None) -> Path:
    """Write a classifier's or detector's weights to a file named after its checksum.

    Auxiliary networks, optimizer, schedules, random states and logs are left out, so
    the keys are the plain model's. If the run kept a moving average, its checkpoints
    hold the average as their weights, and the average is published. The model is
    built from the config, and every weight must be present. The file is read back and
    compared before it gets its name. The same weights and description always give
    the same file.

    Args:
        checkpoint: A file that a training run saved.
        out: Path without the checksum; ``out.pth`` and ``out`` are equivalent.
        config: Config file for a checkpoint that holds none, or whose components
            must be imported first.

    Returns:
        ``<out>-<first 8 digits of the file's SHA-256>.pth``.

    Raises:
        CheckpointError: The checkpoint is unreadable or has no config, its config names
            something that is not registered, a weight is missing or not finite, or the
            written file differs or cannot be written.
    """
    content = read_checkpoint(checkpoint)
    meta = content.get('meta') or {}
    model = own_model(content, checkpoint, config)
    if model is None:
        raise CheckpointError(f'{checkpoint} holds no config, so missing weights cannot be '
                              'detected; give --config')
    verify_complete(model, content, checkpoint)
    require_finite(content['state_dict'], checkpoint)
    published = {
        'state_dict': {key: value for key, value in content['state_dict'].items()
                       if not key.startswith('auxiliary.')},
        'meta': {key: meta[key] for key in KEPT_META if key in meta}}
    return _write_with_checksum(published, Path(out))


def _write_with_checksum(content: dict[str, Any], out: Path) -> Path:
    stem = out.name.removesuffix('.pth')
    with unfinished(out.with_name(stem), error=CheckpointError) as partial:
        with partial.open('wb') as file:
            # Given a path, torch would write its name into the archive and so into the checksum.
            save(content, file)
            file.flush()
            os.fsync(file.fileno())
        _require_same(content, read_checkpoint(partial))
        digest = hashlib.sha256(partial.read_bytes()).hexdigest()[:DIGITS]
        final = out.with_name(f'{stem}-{digest}.pth')
        put_in_place(partial, final)
    return final


def _require_same(content: Mapping[str, Any], read: Mapping[str, Any]) -> None:
    wanted, got = content['state_dict'], read['state_dict']
    differing = [key for key in wanted if key not in got or not torch.equal(wanted[key], got[key])]
    if differing or wanted.keys() != got.keys() or not _equal(content['meta'], read.get('meta')):
        raise CheckpointError(f'the written file differs from its content ({differing[:1]}); '
                              'check the disk and try again')


def _equal(one: Any, other: Any) -> bool:
    """Compare what a file may hold; NaN equals NaN here."""
    # By hand, because `==` of arrays is no single answer.
    if isinstance(one, dict) and isinstance(other, dict):
        return one.keys() == other.keys() and all(_equal(one[key], other[key]) for key in one)
    if isinstance(one, (list, tuple)) and isinstance(other, (list, tuple)):
        return len(one) == len(other) and all(map(_equal, one, other))
    if isinstance(one, torch.Tensor) or isinstance(other, torch.Tensor):
        return (type(one) is type(other) and one.shape == other.shape
                and bool(torch.isclose(one, other, 0, 0, equal_nan=True).all()))
    if isinstance(one, np.ndarray) or isinstance(other, np.ndarray):
        return np.array_equal(one, other)
    return bool(one == other) or (one != one and other != other)
