"""Which parameters are trained now: ``requires_grad`` is followed at each step."""
from __future__ import annotations

import logging
from collections.abc import Callable, Iterable
from typing import Any

import torch
from mmengine.logging import print_log
from torch import nn
from torch.nn.parallel import DistributedDataParallel
from torch.optim import Optimizer

from auglocal_mm.validation.errors import UserError

SHOWN = 3


class TrainabilityError(UserError):
    """Parameters are to be trained that cannot be, or none is."""


class Trainability:
    """Notices changes of ``requires_grad`` at the start of a training step.

    A step reads one flag per parameter; names are looked up after a change only.
    Copies of the model start with a record of their own.

    Args:
        frozen: Names of the parameters that were frozen when the model was built.

    Attributes:
        partner: Identity of the optimizer or wrapper of the last step.
        averaged: Identities of the parameters that torch's data parallel wrapper has.
    """

    def __init__(self, frozen: Iterable[str] = ()) -> None:
        self._frozen = frozenset(frozen)
        self._parameters: list[nn.Parameter] = []
        self._flags: list[bool] = []
        self._lately_frozen: list[nn.Parameter] = []
        self.partner = 0
        self.averaged: set[int] = set()

    def __reduce__(self) -> tuple[type[Trainability], tuple[frozenset[str]]]:
        return Trainability, (self._frozen,)

    def forget(self) -> None:
        """Forget the list of parameters, which may have been replaced."""
        self._parameters = []

    def take_left_over(self) -> list[nn.Parameter]:
        """Return the parameters that were frozen since the last call; they may hold gradients."""
        # Not by their gradients, which need not be there on every rank.
        left, self._lately_frozen = self._lately_frozen, []
        return [parameter for parameter in left if not parameter.requires_grad]

    def follow(self, model: nn.Module, trained: Callable[[], set[int]], *, partner: object,
               owner: str, fix: str) -> bool:
        """Look at the parameters; check them if anything changed since the last step.

        Args:
            model: The model.
            trained: Returns the ids of the parameters that `partner` can train.
            partner: The optimizer, or torch's data parallel wrapper.
            owner: What `partner` is called in errors.
            fix: What to do about a parameter that it cannot train.

        Returns:
            Whether parameters were frozen or unfrozen since the last step.

        Raises:
            TrainabilityError: Nothing is trained, or `partner` does not know a parameter
                that was unfrozen.
        """
        if not self._parameters:
            self._parameters = list(model.parameters())
        flags = [parameter.requires_grad for parameter in self._parameters]
        if flags == self._flags and id(partner) == self.partner:
            return False
        before, known = self._flags, trained()
        # In the first step, or after train() found other parameters, nothing can be compared.
        if len(before) != len(flags):
            before = flags
        if not any(flags):
            raise TrainabilityError(
                f'none of the {len(flags)} parameters is trainable at this step; leave '
                'requires_grad=True on at least one of them, or end the run before')
        unknown = [name for (name, parameter), was in zip(
            model.named_parameters(), before, strict=True)
            if parameter.requires_grad and (not was or name in self._frozen)
            and id(parameter) not in known]
        if unknown:
            raise TrainabilityError(_UNKNOWN.format(_some(unknown), owner, fix))
        changed = before != flags
        self._lately_frozen += [parameter for parameter, was, now in zip(
            self._parameters, before, flags, strict=True) if was and not now]
        if changed:
            print_log(f'Trainable now: {sum(flags)} of {len(flags)} parameter tensors (before: '
                      f'{sum(before)}).', logger='current', level=logging.INFO)
        self._flags, self.partner = flags, id(partner)
        return changed


_UNKNOWN = (
    '{} became trainable, but {} does not have it, so it would not train as it should. Build the '
    'model with it trainable (for example without frozen_stages) and let the hook freeze it '
    'first, or {}')


def follow_optimizer(model: Any, optimizer: Optimizer) -> bool:
    """Follow what is trained by an optimizer; see :meth:`Trainability.follow`."""
    return model.trainability.follow(
        model, lambda: {id(p) for group in optimizer.param_groups for p in group['params']},
        partner=optimizer, owner='the optimizer',
        fix='add it in the hook: runner.optim_wrapper.optimizer.add_param_group')


def follow_data_parallel(model: Any) -> None:
    """Follow what torch's data parallel wrapper averages, inside its forward pass.

    The wrapper averages the gradients of what was trainable when it was built. Anything
    unfrozen later would drift apart between ranks.
    """
    wrapper = DistributedDataParallel._get_active_ddp_module()
    if wrapper is None or not torch.is_grad_enabled():
        return

    def averaged() -> set[int]:
        if model.trainability.partner != id(wrapper):
            now = {id(p) for p in model.parameters() if p.requires_grad}
            # The wrapper does not list its parameters; a model with more than it counted has
            # been unfrozen since.
            held = wrapper._get_ddp_logging_data().get('num_parameter_tensors', len(now))
            model.trainability.averaged = now if len(now) <= held else set()
        return model.trainability.averaged

    model.trainability.follow(
        model, averaged, partner=wrapper, owner="torch's DistributedDataParallel",
        fix="use model_wrapper_cfg=dict(type='auglocal_mm.LocalDistributedDataParallel') with "
            "optim_wrapper.type='auglocal_mm.AugLocalOptimWrapper'")


def _some(names: list[str]) -> str:
    more = f' and {len(names) - SHOWN} more' if len(names) > SHOWN else ''
    return ', '.join(names[:SHOWN]) + more
