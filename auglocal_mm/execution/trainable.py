"""Which parameters are trained now: ``requires_grad`` is followed at each step."""
from __future__ import annotations

import logging
from collections.abc import Callable, Iterable

from mmengine.logging import print_log
from torch import nn

from auglocal_mm.errors import UserError

SHOWN = 3


class TrainabilityError(UserError):
    """Parameters are to be trained that cannot be, or none is."""


class Trainability:
    """Notices changes of ``requires_grad`` at the start of a training step.

    A step reads one flag per parameter; names are looked up after a change only.
    Copies of the model start with a record of their own.

    Args:
        frozen: Names of the parameters that were frozen when the model was built.
    """

    def __init__(self, frozen: Iterable[str] = ()) -> None:
        self._frozen = frozenset(frozen)
        self._parameters: list[nn.Parameter] = []
        self._flags: list[bool] = []
        self._partner = 0

    def __reduce__(self) -> tuple[type[Trainability], tuple[frozenset[str]]]:
        return Trainability, (self._frozen,)

    def forget(self) -> None:
        """Forget the list of parameters, which may have been replaced."""
        self._parameters = []

    def left_over(self) -> list[nn.Parameter]:
        """Return the parameters that were frozen after they got a gradient."""
        return [p for p in self._parameters if not p.requires_grad and p.grad is not None]

    def follow(self, model: nn.Module, trained: Callable[[], set[int]], *, partner: object,
               owner: str) -> bool:
        """Look at the parameters; check them if anything changed since the last step.

        Args:
            model: The model.
            trained: Returns the ids of the parameters that `partner` can train.
            partner: The optimizer, or torch's data parallel wrapper.
            owner: What `partner` is called in errors.

        Returns:
            Whether parameters were frozen or unfrozen since the last step.

        Raises:
            TrainabilityError: Nothing is trained, or `partner` does not know a parameter
                that was unfrozen.
        """
        if not self._parameters:
            self._parameters = list(model.parameters())
        flags = [parameter.requires_grad for parameter in self._parameters]
        if flags == self._flags and id(partner) == self._partner:
            return False
        before, known = self._flags, trained()
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
            raise TrainabilityError(_UNKNOWN.format(_some(unknown), owner))
        changed = before != flags
        if changed:
            print_log(f'Trainable now: {sum(flags)} of {len(flags)} parameter tensors (before: '
                      f'{sum(before)}).', logger='current', level=logging.INFO)
        self._flags, self._partner = flags, id(partner)
        return changed


_UNKNOWN = (
    '{} became trainable, but {} does not have it, so it would stay as it is. Build the model with '
    'it trainable (for example without frozen_stages) and let the hook freeze it first, or add it '
    'in the hook: runner.optim_wrapper.optimizer.add_param_group')


def _some(names: list[str]) -> str:
    more = f' and {len(names) - SHOWN} more' if len(names) > SHOWN else ''
    return ', '.join(names[:SHOWN]) + more
