"""A step inside each module: its weights are updated and its gradients freed at once."""
from __future__ import annotations

import copy
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn
from torch.optim import Optimizer

from auglocal_mm.execution import Listener, ModuleDone, Order, StepBegin


class OptimizerPart:
    """Some of an optimizer's parameters, with what a loss scaler asks of an optimizer.

    Args:
        optimizer: The whole optimizer. Its groups keep their settings, and its state stays its
            own, so a checkpoint does not show that it stepped in parts.
        parameters: The parameters of this part; those that it does not hold are left out.

    Attributes:
        param_groups: Its groups that hold any of them, reduced to them.
    """

    def __init__(self, optimizer: Optimizer, parameters: Iterable[nn.Parameter]) -> None:
        wanted = {id(parameter) for parameter in parameters}
        shares = [(group, [each for each in group['params'] if id(each) in wanted])
                  for group in optimizer.param_groups]
        self._optimizer = optimizer
        self._shares = [(group, share) for group, share in shares if share]
        self.param_groups = [{**group, 'params': share} for group, share in self._shares]

    def step(self, **kwargs: Any) -> None:
        """Update the parameters of this part alone."""
        with self._alone():
            self._optimizer.step(**kwargs)

    def free_gradients(self) -> None:
        """Free the gradients of this part."""
        for _, share in self._shares:
            for parameter in share:
                parameter.grad = None

    @contextmanager
    def _alone(self) -> Iterator[None]:
        # Not by missing gradients: every step would look at every parameter of the model. The
        # groups themselves, because schedules have set them and optimizers may write to them.
        whole = self._optimizer.param_groups
        held = [group['params'] for group, _ in self._shares]
        try:
            for group, share in self._shares:
                group['params'] = share
            self._optimizer.param_groups = [group for group, _ in self._shares]
            yield
        finally:
            self._optimizer.param_groups = whole
            for (group, _), parameters in zip(self._shares, held, strict=True):
                group['params'] = parameters


class ModuleSteps(Listener):
    """Steps each module once its gradients are final: nothing later in the step reads its weights.

    Averages over ranks travel while the next module runs; its own all-reduce starts before this
    one is waited for.

    Args:
        optimizer: The whole optimizer.
        update: Judges, clips, steps and frees a part of it; called with the modules in it.
    """

    order = Order.UPDATE

    def __init__(self, optimizer: Optimizer,
                 update: Callable[[OptimizerPart, range], None]) -> None:
        self._optimizer = optimizer
        self._update = update
        self._model: Any = None
        self._travelling: ModuleDone | None = None

    def begin_step(self, event: StepBegin) -> None:
        """Forget what a step that ended with an exception left behind."""
        self._model, self._travelling = event.model, None

    def after_module(self, event: ModuleDone) -> None:
        """Step what is final: this module, or over ranks the one before it."""
        if not event.trained:
            return
        self._step_travelling()
        if event.wait is None:
            self._step(event)
        else:
            self._travelling = event

    def before_update(self) -> None:
        """Step the last module."""
        self._step_travelling()

    def end_step(self) -> None:
        """Let go of the model."""
        self._model = None

    def _step_travelling(self) -> None:
        event, self._travelling = self._travelling, None
        if event is not None and event.wait is not None:
            event.wait()
            self._step(event)

    def _step(self, event: ModuleDone) -> None:
        parameters = [parameter for module in event.trained
                      for parameter in self._model.module_parameters(module)]
        self._update(OptimizerPart(self._optimizer, parameters), event.trained)


def updates_apart(optimizer: Optimizer) -> bool:
    """Tell whether an optimizer may step its parameters one after another, to the same bits.

    It may not if it needs a closure, counts its steps by group, or makes the update of a
    parameter depend on others, like LAMB's norm of all gradients. A copy of it tries, on two small
    matrices.
    """
    try:
        together, apart = (_tried(optimizer, in_parts=parts) for parts in (False, True))
        return together[1] == apart[1] and all(
            torch.equal(one, other) for one, other in zip(together[0], apart[0], strict=True))
    except Exception:  # whatever an optimizer of anybody's raises: it cannot do it
        return False


def needs_all_gradients(optimizer: Optimizer) -> bool:
    """Tell whether what an optimizer does to one parameter depends on the gradients of others.

    LAMB's norm of all gradients is such a case, and step sizes that are estimated from all of
    them. A copy of the optimizer tries, on two small matrices of which each has a gradient alone.
    """
    try:
        both, settings = _tried(optimizer)
        for index, wanted in enumerate(both):
            alone, others = _tried(optimizer, given=(index,))
            if not torch.equal(alone[index], wanted) or others != settings:
                return True
    except Exception:  # whatever an optimizer of anybody's raises: nobody knows
        return False
    return False


def _tried(optimizer: Optimizer, *, in_parts: bool = False,
           given: Sequence[int] = (0, 1)) -> tuple[list[Tensor], list[Any]]:
    """Step a copy twice; return the matrices and the settings of their group.

    Args:
        optimizer: The optimizer.
        in_parts: Whether it steps one matrix after the other.
        given: Indices of the matrices that have gradients.
    """
    like = optimizer.param_groups[0]['params'][0]
    generator = torch.Generator().manual_seed(0)
    values = torch.rand(2, 3, 4, 4, generator=generator).to(like.device, like.dtype)
    matrices = [nn.Parameter(value) for value in values[:, 0]]
    twin = _twin(optimizer, matrices)
    group = {**copy.deepcopy({key: value for key, value in optimizer.param_groups[0].items()
                              if key != 'params'}), 'params': matrices}
    twin.param_groups = [group]
    for turn in (1, 2):
        for index in given:
            matrices[index].grad = values[index, turn].clone()
        if in_parts:
            for matrix in matrices:
                OptimizerPart(twin, [matrix]).step()
        else:
            twin.step()
    return [matrix.detach() for matrix in matrices], [
        value for key, value in group.items() if key != 'params']


def _twin(optimizer: Optimizer, matrices: list[nn.Parameter]) -> Optimizer:
    if optimizer.state:  # it prepares its state when it is built, like Adagrad
        return type(optimizer)(matrices, **optimizer.defaults)
    twin: Optimizer = object.__new__(type(optimizer))
    # Not copy.copy, which would leave out what a subclass keeps. A schedule has put a bound `step`
    # there, which would step the original.
    twin.__dict__.update({key: value for key, value in vars(optimizer).items() if key != 'step'})
    twin.state = defaultdict(dict)
    return twin
