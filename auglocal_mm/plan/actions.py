"""What a rank of a local pipeline does, action by action, as pure data."""
from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, TypeAlias, get_args

from .parallel import Assignment

Kind: TypeAlias = Literal['load', 'receive', 'run', 'average', 'update', 'wait', 'send']
#: What an action can be, in the order of a step.
KINDS: tuple[Kind, ...] = get_args(Kind)


@dataclass(frozen=True)
class Action:
    """One thing that a rank does; the next one starts when it is over.

    ``load``      read the batch (the first stage)
    ``receive``   wait for the carry from the stage before (all others)
    ``run``       forward and backward pass of each module of the stage, in order
    ``average``   wait for the gradients' averages over the replicas of the stage
    ``update``    step the optimizer of the stage's parameters
    ``wait``      wait until the carry of `step` was taken by the next stage
    ``send``      start to send the carry to the next stage; does not wait

    Attributes:
        kind: One of :data:`KINDS`.
        step: Number of the training step that it serves, from 0.
        stage: The stage of the rank that does it.
    """
    kind: Kind
    step: int
    stage: int

    def __str__(self) -> str:
        return f'{self.kind} {self.step}'


def schedule(assignment: Assignment, stage: int, steps: int, *,
             queue: int = 2) -> tuple[Action, ...]:
    """Return the actions of a rank that holds a stage.

    They can be run in this order with blocking receives and asynchronous sends. Nothing flows
    back, so no order of ranks can block for ever: each waits only for those beside it, and the
    last stage for none that comes after.

    Args:
        assignment: Which stage holds which modules.
        stage: The stage.
        steps: Number of training steps.
        queue: Largest number of carries that were sent and not yet taken by the next stage.

    Raises:
        ValueError: There is no such stage, or a number is too small.
    """
    stages = len(assignment.stages)
    if not 0 <= stage < stages:
        raise ValueError(f'stage must be in 0 … {stages - 1}, got {stage}')
    for name, value in (('steps', steps), ('queue', queue)):
        if value < 1:
            raise ValueError(f'{name} must be at least 1, got {value}')
    last = stage == stages - 1
    actions: list[Action] = []
    for step in range(steps):
        kinds: list[Kind] = ['receive' if stage else 'load', 'run', 'average', 'update']
        actions += [Action(kind, step, stage) for kind in kinds
                    if kind != 'average' or assignment.replicas > 1]
        if not last:
            if step >= queue:
                actions.append(Action('wait', step - queue, stage))
            actions.append(Action('send', step, stage))
    if not last:
        # Whoever ends earlier would take the last carries along.
        actions += [Action('wait', step, stage) for step in range(max(0, steps - queue), steps)]
    return tuple(actions)
