"""Random numbers of a network that depend on the module, and not on who trains it."""
from __future__ import annotations

import random
from typing import Any

import numpy as np
import torch
from mmengine.dist import get_rank
from mmengine.hooks import Hook
from mmengine.model import is_model_wrapper
from mmengine.runner import Runner

from auglocal_mm.execution import Listener, Order, StepBegin
from auglocal_mm.models import LocalTraining
from auglocal_mm.registry import HOOKS

from .generators import set_random_state, take_random_state


@HOOKS.register_module()
class ModuleSeedHook(Hook):
    """Seeds what each module draws (dropout, stochastic depth, sampled regions) in each step.

    The numbers follow from the run's seed, the iteration, the module and the replica. So a
    module draws the same whatever the others draw, and wherever it trains: a network with
    dropout, or a detector, trains to the same weights on one device and in a
    :class:`~auglocal_mm.LocalPipelineParallel` of any number of stages. Other draws, such as
    those of data augmentation, go on as if the model had drawn nothing::

        custom_hooks = [dict(type='auglocal_mm.ModuleSeedHook')]

    Args:
        seed: Of the draws; ``None`` for the run's own seed, with which a resumed run goes on.

    Call order: ``before_train`` begins to listen; ``before_train_iter`` tells the iteration;
    ``after_train`` ends.

    Raises:
        TypeError: The model is not trained locally.
        ValueError: The seed is negative, or no integer.
    """

    def __init__(self, seed: int | None = None) -> None:
        if seed is not None and (type(seed) is not int or seed < 0):
            raise ValueError(f'ModuleSeedHook.seed must be an integer from 0 on, got {seed!r}; '
                             "leave it out for the run's own")
        self._seed = seed
        self._listener: ModuleSeeds | None = None

    def before_train(self, runner: Runner) -> None:
        """Begin to seed the model's modules."""
        model: Any = runner.model
        bare = model.module if is_model_wrapper(model) else model
        if not isinstance(bare, LocalTraining):
            raise TypeError('ModuleSeedHook needs a model that is trained locally, got '
                            f'{type(bare).__name__}; leave the hook out')
        seed = runner.seed if self._seed is None else self._seed
        self._listener = ModuleSeeds(seed, replica=getattr(model, 'replica', get_rank()))
        bare.listeners.add(self._listener)

    def before_train_iter(self, runner: Runner, batch_idx: int, data_batch: Any = None) -> None:
        """Tell which iteration begins."""
        assert self._listener is not None
        self._listener.iteration = runner.iter

    def after_train(self, runner: Runner) -> None:
        """Leave the model as it was."""
        model: Any = runner.model
        bare = model.module if is_model_wrapper(model) else model
        bare.listeners.remove(self._listener)


class ModuleSeeds(Listener):
    """Seeds all generators before each module, and gives them back before the update.

    After a step that ends with an exception they stay as the last module left them.

    Args:
        seed: Of the run.
        replica: Which of several replicas, on batches of their own, this is.

    Attributes:
        iteration: The number of the step, which somebody counts.
    """

    # Nobody else draws at these events; the first is as good as the last.
    order = Order.WATCH

    def __init__(self, seed: int, *, replica: int) -> None:
        self._seed = seed
        self._replica = replica
        self._outside: dict[str, Any] | None = None
        self.iteration = 0

    def begin_step(self, event: StepBegin) -> None:
        """Keep what the rest of the process draws from."""
        self._outside = take_random_state()

    def before_module(self, module: int) -> None:
        """Seed what the module draws."""
        sequence = np.random.SeedSequence([self._seed, self.iteration, module, self._replica])
        first, second = sequence.generate_state(2)
        torch.manual_seed(int(first))
        np.random.seed(int(second))
        random.seed(int(second))

    def before_update(self) -> None:
        """Give it back: an optimizer that draws noise does not draw from the last module's."""
        assert self._outside is not None
        set_random_state(self._outside)
