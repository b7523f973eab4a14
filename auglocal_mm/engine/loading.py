"""The moment at which a runner takes over a checkpoint, and what it must look like after it."""
from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from typing import Any

import torch
from mmengine.optim import OptimWrapper
from mmengine.runner import EpochBasedTrainLoop, Runner
from torch import Tensor

from auglocal_mm.checkpoints import CheckpointError

REASON_CHARACTERS = 200


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
            _require_sound(runner, path)

    runner.load_or_resume = load_or_say_why


def _reason(error: Exception) -> str:
    text = (str(error).strip().splitlines() or [''])[0][:REASON_CHARACTERS]
    return text if isinstance(error, CheckpointError) else f'{type(error).__name__}: {text}'


def _require_sound(runner: Runner, path: str) -> None:
    faults = [*_position_faults(runner), *_optimizer_faults(runner.optim_wrapper),
              *_schedule_faults(runner.param_schedulers)]
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


def _optimizer_faults(wrapper: Any) -> Iterator[str]:
    if not isinstance(wrapper, OptimWrapper):  # several optimizers; mmengine's own affair
        return
    for group in wrapper.optimizer.param_groups:
        for name, value in group.items():
            if name != 'params' and not _is_setting(value):
                yield f'the optimizer has {name}={value!r:.60}'
    for parameter, state in wrapper.optimizer.state.items():
        if not isinstance(state, Mapping):
            yield f'the optimizer keeps {state!r:.60} for a parameter'
            continue
        for name, value in state.items():
            if isinstance(value, Tensor):
                if value.dim() and value.shape != parameter.shape:
                    yield (f'the optimizer keeps {name} of shape {tuple(value.shape)} for a '
                           f'parameter of {tuple(parameter.shape)}')
            elif not _is_setting(value):
                yield f'the optimizer keeps {name}={value!r:.60}'


def _schedule_faults(schedulers: Any) -> Iterator[str]:
    for scheduler in schedulers if isinstance(schedulers, list) else ():
        for name, value in vars(scheduler).items():
            if name in ('last_step', '_global_step', 'begin', 'end') and (
                    isinstance(value, bool) or not isinstance(value, (int, float))
                    or math.isnan(value)):
                yield f'a schedule has {name}={value!r:.60}'
            if name in ('base_values', '_last_value') and not (
                    isinstance(value, list) and all(_is_setting(each) and each is not None
                                                    and not isinstance(each, (bool, tuple))
                                                    for each in value)):
                yield f'a schedule has {name}={value!r:.60}'


def _is_setting(value: Any) -> bool:
    """Tell whether it is something that torch's optimizers have as a setting."""
    if isinstance(value, (tuple, list)):
        return all(_is_setting(each) for each in value)
    if isinstance(value, (float, int)):
        return not math.isnan(value)
    if isinstance(value, torch.Tensor):
        return value.numel() == 1
    return value is None or isinstance(value, str)
