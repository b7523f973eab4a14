"""The moment at which a runner takes over a checkpoint, and what it must look like after it."""
from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Any

import torch
from mmengine.optim import OptimWrapper
from mmengine.runner import EpochBasedTrainLoop, Runner
from torch import Tensor

from auglocal_mm.checkpoints import CheckpointError
from auglocal_mm.validation import is_number, shown

REASON_CHARACTERS = 200
#: No setting and no counter of training is larger.
MAX_NUMBER = 1e18


def guard_loading(runner: Runner, path: str) -> None:
    """Make a runner's loading end in one :class:`CheckpointError`, whatever is in the file.

    mmengine takes most of a checkpoint over without looking at it. So the training
    state is also judged right after it was taken over, before the first step.

    Args:
        runner: A runner that has not loaded anything.
        path: The file that it will load or resume from.
    """
    load = runner.load_or_resume

    def load_or_say_why() -> None:
        fresh = _settings(runner)
        try:
            load()
        except Exception as error:
            # Only the file's content is new here: the config has built and the data are open.
            if isinstance(error, CheckpointError) and str(path) in str(error):
                raise
            raise CheckpointError(
                f'{path} cannot be {"resumed" if runner._resume else "loaded"} '
                f'({_reason(error)}); give another checkpoint of this run') from error
        if runner._resume:
            _require_sound(runner, path, fresh)

    runner.load_or_resume = load_or_say_why


def _reason(error: Exception) -> str:
    text = (str(error).strip().splitlines() or [''])[0][:REASON_CHARACTERS]
    return text if isinstance(error, CheckpointError) else f'{type(error).__name__}: {text}'


def _require_sound(runner: Runner, path: str, fresh: list[dict[str, Any]]) -> None:
    faults = [*_position_faults(runner), *_setting_faults(fresh, _settings(runner)),
              *_state_faults(runner.optim_wrapper)]
    if faults:
        raise CheckpointError(f'{path} cannot be resumed: {faults[0]}; give another checkpoint '
                              'of this run')


def _position_faults(runner: Runner) -> Iterator[str]:
    places = [('epoch', runner.epoch, runner.max_epochs)]
    if not isinstance(runner.train_loop, EpochBasedTrainLoop):
        # With more ranks or larger batches, an epoch has fewer iterations than it had.
        places.append(('iter', runner.iter, runner.max_iters))
    for name, value, end in places:
        if end is not None and value > end:
            yield (f'it was saved at {name} {value}, but this run ends at {end} (a longer '
                   'train_cfg continues it)')


def _settings(runner: Runner) -> list[dict[str, Any]]:
    """Return the settings of each group of parameters and of each schedule, as they are now."""
    wrapper, schedules = runner.optim_wrapper, runner.param_schedulers
    # Several optimizers, by name, are mmengine's own affair.
    groups = wrapper.optimizer.param_groups if isinstance(wrapper, OptimWrapper) else []
    return [*({key: value for key, value in group.items() if key != 'params'}
              for group in groups),
            *(dict(vars(each)) for each in (schedules if isinstance(schedules, list) else []))]


def _setting_faults(fresh: list[dict[str, Any]], loaded: list[dict[str, Any]]) -> Iterator[str]:
    """Compare in kind: what was built from the config shows what each setting must be."""
    # mmengine pairs schedules as they come, and ignores a surplus on either side.
    for before, after in zip(fresh, loaded, strict=False):
        for name, value in before.items():
            if name not in after:
                yield f'its optimizer or schedule lacks {name}'
            elif not _is_alike(after[name], value):
                yield f'its optimizer or schedule has {name}={shown(after[name])}'


def _is_alike(value: Any, fresh: Any) -> bool:
    """Tell whether a setting may stand for another of the same name."""
    if value is fresh:
        return True
    if fresh is None:
        return value is None or isinstance(value, bool)
    if isinstance(fresh, (bool, str)):
        return type(value) is type(fresh) and (value == fresh or isinstance(fresh, bool))
    if isinstance(fresh, (int, float)):
        return is_number(value) and abs(value) <= MAX_NUMBER
    if isinstance(fresh, (list, tuple)):
        return isinstance(value, (list, tuple)) and len(value) == len(fresh) and all(
            map(_is_alike, value, fresh))
    if isinstance(fresh, Tensor):
        return isinstance(value, Tensor) and value.shape == fresh.shape
    if isinstance(fresh, Mapping):  # milestones; a longer run may have others
        return isinstance(value, Mapping) and all(
            is_number(each) for each in (*value.keys(), *value.values()))
    return type(value) is type(fresh)


def _state_faults(wrapper: Any) -> Iterator[str]:
    """Say what the optimizer keeps for a parameter that it would not.

    What it keeps under one name is of one kind for all parameters: a tensor like the
    parameter, or a single number.
    """
    if not isinstance(wrapper, OptimWrapper):
        return
    kinds: dict[str, Counter[str]] = {}
    for parameter, state in wrapper.optimizer.state.items():
        if not isinstance(state, Mapping):
            yield f'the optimizer keeps {shown(state)} for a parameter'
            return
        for name, value in state.items():
            # For a parameter of one number the two kinds of tensors look alike.
            if value is not None and not (parameter.numel() == 1 and _is_one(value)):
                kinds.setdefault(name, Counter())[_kind(value, parameter)] += 1
    for name, counted in kinds.items():
        # The rarest kind is the one that does not fit.
        kind, count = counted.most_common()[-1]
        if kind == ODD or len(counted) > 1:
            yield f'the optimizer keeps {kind} as {name} of {count} parameters'


#: Neither a tensor nor a number.
ODD = 'something odd'


def _is_one(value: Any) -> bool:
    return isinstance(value, Tensor) and value.numel() == 1 and value.dtype is not torch.bool


def _kind(value: Any, parameter: Tensor) -> str:
    if isinstance(value, Tensor):
        if value.shape == parameter.shape and value.dtype is not torch.bool:
            return 'a tensor like the parameter'
        return 'one number in a tensor' if _is_one(value) else (
            f'a tensor of shape {tuple(value.shape)} and {value.dtype}')
    return 'a number' if is_number(value) else ODD
