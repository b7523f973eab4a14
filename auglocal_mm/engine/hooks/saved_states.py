"""Judges the random states, gradients and position in a checkpoint before a run adopts them."""
from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from torch import Tensor, nn

from auglocal_mm.checkpoints import CheckpointError
from auglocal_mm.validation import is_int, shown

from .generators import set_random_state, take_random_state

#: Largest number that torch takes as a seed.
MAX_NUMBER = 2**63 - 1


def require_sound_states(entry: Any, model: nn.Module) -> None:
    """Check what ``RandomStateHook`` stored.

    Args:
        entry: The checkpoint's ``random_states``.
        model: The model, without wrapper, that gradients must fit.

    Raises:
        CheckpointError: A part of it is something else.
    """
    ranks = entry.get('ranks') if isinstance(entry, Mapping) else None
    if not (isinstance(ranks, list) and ranks):
        raise CheckpointError('random_states hold no states of ranks')
    for number, state in enumerate(ranks):
        _require_generators(state, f'random_states.ranks.{number}')
    for name in ('iterations', 'epoch', 'began', 'batches', 'sampler_seed'):
        value = entry.get(name)
        if value is not None and not (is_int(value) and 0 <= value <= MAX_NUMBER):
            raise CheckpointError(f'random_states.{name} is {shown(value)}, not a number from 0 '
                                  f'to {MAX_NUMBER}')
    for name in ('gradients', 'buffers', 'start'):
        parts = entry.get(name)
        if parts is not None and not (isinstance(parts, list) and len(parts) == len(ranks)):
            raise CheckpointError(f'random_states.{name} are not those of {len(ranks)} ranks')
        for number, part in enumerate(parts or ()):
            if name == 'start' and part is not None:
                _require_generators(part, f'random_states.start.{number}')
            elif part:
                _require_tensors(part, model, f'random_states.{name}.{number}')


def _require_generators(state: Any, place: str) -> None:
    """Set the states and take them back, which nothing else judges as strictly."""
    before = take_random_state()
    try:
        set_random_state(state)
    # Python, NumPy and torch raise errors of many kinds here.
    except Exception as error:
        raise CheckpointError(f'{place} are no states of random number generators '
                              f'({type(error).__name__})') from error
    finally:
        set_random_state(before)


def _require_tensors(part: Any, model: nn.Module, place: str) -> None:
    own = {**dict(model.named_parameters()), **dict(model.named_buffers())}
    bad = [name for name, value in part.items() if not isinstance(value, Tensor)
           or (name in own and own[name].shape != value.shape)
           ] if isinstance(part, Mapping) else ['all']
    if bad:
        raise CheckpointError(f'{place} do not fit the model ({bad[0]})')
