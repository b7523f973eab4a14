"""Judges the file that a run starts from: ``load_from`` and ``resume``."""
from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from mmengine.logging import HistoryBuffer
from torch import Tensor, nn

from auglocal_mm.validation import shown

from .complete import require_complete
from .errors import CheckpointError, some

#: Entries that are no trained weights.
UNTRAINED = ('num_batches_tracked',)


def judge_overlap(model: nn.Module, content: Mapping[str, Any], path: str | Path) -> str | None:
    """Check that a file of weights is about a model, as far as one may differ from it.

    mmengine loads whatever fits and only warns about the rest. That is right for a head
    with another number of classes, and wrong for a backbone without its prefix.

    Args:
        model: The model about to load it by ``load_from``.
        content: What :func:`read_checkpoint` returned.
        path: The file, for the message.

    Returns:
        What stays random, in a line, or ``None`` if everything fits.

    Raises:
        CheckpointError: Nothing fits, or nothing of the backbone; the message names the
            prefix that would fit.
    """
    # mmengine removes this prefix as well.
    state = {key.removeprefix('module.'): value for key, value in content['state_dict'].items()}
    own = {key: value for key, value in model.state_dict().items() if not key.endswith(UNTRAINED)}
    fitting = {key for key, value in own.items()
               if isinstance(state.get(key), Tensor) and state[key].shape == value.shape}
    backbone = [key for key in own if key.startswith('backbone.')]
    if not fitting or (backbone and not fitting.intersection(backbone)):
        raise CheckpointError(
            f'load_from={path} fits {len(fitting)} of {len(own)} entries of '
            f'{type(model).__name__}{" and none of its backbone" if fitting else ""}; the file '
            f'has {some(state)}. {_advice(own, state, path)}')
    missing = [key for key in own if key not in fitting]
    if not missing:
        return None
    auxiliary = [key for key in missing if key.startswith('auxiliary.')]
    others = [key for key in missing if not key.startswith('auxiliary.')]
    parts = [f'{len(others)} of {len(own)} entries ({some(others)})'] if others else []
    parts += [f'{len(auxiliary)} entries of auxiliary networks'] if auxiliary else []
    return f'{path} does not fit {" and ".join(parts)}, which start from fresh weights.'


def _advice(own: Mapping[str, Tensor], state: Mapping[str, Tensor], path: str | Path) -> str:
    """Say which prefix would make the file fit, if any does."""
    shapes = {key: tuple(value.shape) for key, value in state.items() if isinstance(value, Tensor)}
    lacking: Counter[str] = Counter()
    surplus: Counter[str] = Counter()
    ends = {key: value for key, value in own.items() if not key.startswith('auxiliary.')}
    for key, value in ends.items():
        parts = key.split('.')
        for cut in range(1, len(parts)):
            if shapes.get('.'.join(parts[cut:])) == tuple(value.shape):
                lacking['.'.join(parts[:cut])] += 1
    for key, shape in shapes.items():
        parts = key.split('.')
        for cut in range(1, len(parts)):
            end = '.'.join(parts[cut:])
            if end in ends and tuple(ends[end].shape) == shape:
                surplus['.'.join(parts[:cut])] += 1
    best, count = max([*lacking.most_common(1), *surplus.most_common(1)], default=('', 0),
                      key=lambda found: found[1])
    if not count:
        return 'Give the checkpoint of this architecture'
    if best in lacking:
        return (f'Its keys lack the prefix {best!r} ({count} would fit): set model.{best}.init_cfg='
                f"dict(type='Pretrained', checkpoint='{path}') instead of load_from")
    return (f'Its keys have the prefix {best!r} that the model\'s lack ({count} would fit): '
            f"set model.init_cfg=dict(type='Pretrained', checkpoint='{path}', "
            f"prefix='{best}.') instead of load_from")


def require_resumable(model: nn.Module, content: Mapping[str, Any], path: str | Path) -> None:
    """Check that a run of this model can continue from a file.

    Raises:
        CheckpointError: A part of the training state is missing or no training state, or the
            weights are those of another model.
    """
    require_training_state(content, path)
    require_complete(model, content['state_dict'], f'{path}, which is to be resumed,',
                     optional=('data_preprocessor.',), exactly=True)


def require_training_state(content: Mapping[str, Any], path: str | Path) -> None:
    """Check the parts of a checkpoint that mmengine resumes from, without a model.

    Raises:
        CheckpointError: One is missing or something else.
    """
    missing = [name for name in ('meta', 'optimizer', 'message_hub') if name not in content]
    if missing:
        raise CheckpointError(f'{path} cannot be resumed: it holds no {", ".join(missing)}. To '
                              'start from its weights, set load_from in the config, without '
                              'resume')
    faults = []
    meta, hub, optimizer = content['meta'], content['message_hub'], content['optimizer']
    for name in ('epoch', 'iter'):
        value = meta.get(name)
        if not (isinstance(value, int) and not isinstance(value, bool) and value >= 0):
            faults.append(f'meta[{name!r}] is {shown(value)}, not a number of at least 0')
    if not (isinstance(hub, dict) and all(
            isinstance(hub.get(name), dict)
            for name in ('log_scalars', 'runtime_info', 'resumed_keys'))):
        faults.append('message_hub holds no logs')
    elif not all(isinstance(value, HistoryBuffer) for value in hub['log_scalars'].values()):
        faults.append('message_hub holds a log that is no history of numbers')
    elif not all(isinstance(value, bool) for value in hub['resumed_keys'].values()) or not all(
            isinstance(key, str) for part in hub.values() for key in part):
        faults.append('message_hub holds names that are none, or marks other than True and False')
    # mmengine saves one optimizer, or several by name.
    if not (isinstance(optimizer, dict) and (
            {'state', 'param_groups'} <= set(optimizer)
            or all(isinstance(part, dict) for part in optimizer.values()))):
        faults.append('optimizer holds no state and groups of parameters')
    if faults:
        raise CheckpointError(f'{path} cannot be resumed: {"; ".join(faults)}. Resume from '
                              'another checkpoint of the run')


def require_finite(state: Mapping[str, Any], source: str | Path) -> None:
    """Check that weights are numbers.

    Raises:
        CheckpointError: Some are NaN or infinite, as after a training that diverged.
    """
    bad = [key for key, value in state.items() if isinstance(value, Tensor)
           and value.is_floating_point() and not value.isfinite().all()]
    if bad:
        raise CheckpointError(f'{source} holds NaN or infinite values in {len(bad)} of '
                              f'{len(state)} entries ({some(bad)}): its training diverged; give '
                              'an earlier checkpoint')
