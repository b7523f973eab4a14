"""Local learning over ranks: the executor's schedule, run on costs instead of tensors."""
from __future__ import annotations

from collections.abc import Hashable, Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise

from auglocal_mm.plan import Action, Assignment, schedule

from .costs import ModelCosts
from .engine import Key, Task, simulate
from .network import Network
from .result import Result, steady_period


def simulate_local(costs: ModelCosts, assignment: Assignment, network: Network, *,
                   queue: int = 2, steps: int = 32, strategy: str = 'local_hybrid') -> Result:
    """Simulate the schedule of :func:`auglocal_mm.plan.schedule`.

    Replicas are alike, so the first one stands for all. One stage with replicas is data
    parallelism.

    Args:
        costs: What the modules cost.
        assignment: Which rank trains which modules.
        network: The network between the ranks.
        queue: Largest number of carries between two ranks.
        steps: Number of steps to simulate, at least 2.
        strategy: What the result is called.
    """
    run = _Run(costs, assignment, network)
    resources: dict[Hashable, list[Task]] = {
        ('rank', stage): [task for action in schedule(assignment, stage, steps, queue=queue)
                          for task in run.tasks(action)]
        for stage in range(len(assignment.stages))}
    for stage in range(len(assignment.stages)):
        if assignment.replicas > 1:
            resources['ring', stage] = list(run.averages(stage, steps))
        if stage:
            posted = _posted(resources['rank', stage])
            resources['link', stage] = list(run.transfers(stage, steps, posted))
    spans = simulate(resources)
    last = len(assignment.stages) - 1
    ends = [spans[Key('update', last, step)].stop for step in range(steps)]
    return Result(
        strategy=strategy, stages=len(assignment.stages), replicas=assignment.replicas,
        period=steady_period(ends), work=costs.seconds, batch_size=costs.batch_size,
        rank_bytes=max(costs.local_bytes(modules, replicas=assignment.replicas, queue=queue)
                       for modules in assignment.stages),
        spans=spans)


@dataclass(frozen=True)
class _Run:
    costs: ModelCosts
    assignment: Assignment
    network: Network

    def tasks(self, action: Action) -> Iterator[Task]:
        """Turn an action of a rank into what it does there."""
        kind, step, stage = action.kind, action.step, action.stage
        modules = self.assignment.stages[stage]
        key = Key(kind, stage, step)
        if kind == 'run':
            for module in modules:
                seconds = self.costs.modules[module].seconds / self.assignment.replicas
                yield Task(Key('run', stage, step, module), seconds)
        elif kind == 'receive':
            yield Task(key, after=(Key('transfer', stage, step),))
        elif kind == 'wait':
            yield Task(key, after=(Key('receive', stage + 1, step),))
        elif kind == 'average':
            yield Task(key, after=(Key('ring', stage, step, modules[-1]),))
        else:
            # Reading and updating take no time here.
            yield Task(key)

    def averages(self, stage: int, steps: int) -> Iterator[Task]:
        """Average each module's gradients as soon as its backward pass is over."""
        for step in range(steps):
            for module in self.assignment.stages[stage]:
                seconds = self.network.average(
                    self.costs.modules[module].parameter_bytes, self.assignment.replicas)
                yield Task(Key('ring', stage, step, module), seconds,
                           after=(Key('run', stage, step, module),))

    def transfers(self, stage: int, steps: int, posted: dict[int, Key]) -> Iterator[Task]:
        """Carry each batch to a stage from the one before it."""
        before = self.costs.modules[self.assignment.stages[stage].start - 1]
        seconds = self.network.transfer(before.boundary_bytes / self.assignment.replicas)
        for step in range(steps):
            needs: tuple[Key, ...] = (Key('send', stage - 1, step),)
            if self.network.rendezvous and step in posted:
                needs = (*needs, posted[step])
            yield Task(Key('transfer', stage, step), seconds, after=needs)


def _posted(tasks: Sequence[Task]) -> dict[int, Key]:
    """Return the task after which a rank waits for the carry of each step, except the first."""
    return {task.key.step: before.key for before, task in pairwise(tasks)
            if task.key.kind == 'receive'}
