"""Pipelines of back-propagation over micro-batches: GPipe, 1F1B and zero bubble (ZB-H1)."""
from __future__ import annotations

from collections.abc import Callable, Hashable, Iterator
from dataclasses import dataclass
from typing import Literal, TypeAlias

from auglocal_mm.plan import Assignment

from .costs import ModelCosts
from .engine import Key, Task, simulate
from .network import Network
from .result import Result, steady_period

Pass: TypeAlias = Literal['forward', 'backward', 'weights']
#: Passes of a stage in order, each with its micro-batch.
Order: TypeAlias = list[tuple[Pass, int]]


def gpipe(stage: int, stages: int, micro: int) -> Order:
    """Return all forward passes, then all backward passes."""
    return [*(('forward', index) for index in range(micro)),
            *(('backward', index) for index in range(micro))]


def one_forward_one_backward(stage: int, stages: int, micro: int) -> Order:
    """Return forward passes until the first gradient arrives, then one of each in turn."""
    ahead = min(stages - stage - 1, micro)
    order: Order = [('forward', index) for index in range(ahead)]
    for index in range(micro):
        if index + ahead < micro:
            order.append(('forward', index + ahead))
        order.append(('backward', index))
    return order


def zero_bubble(stage: int, stages: int, micro: int) -> Order:
    """Return ZB-H1: as 1F1B, but the gradients of the weights are computed later.

    Stage s puts them off by s micro-batches, so that each stage holds as many micro-batches as
    the first one of 1F1B (Qi et al., Zero Bubble Pipeline Parallelism, 2023).
    """
    order: Order = []
    for kind, index in one_forward_one_backward(stage, stages, micro):
        order.append((kind, index))
        if kind == 'backward' and index >= stage:
            order.append(('weights', index - stage))
    return [*order, *(('weights', index) for index in range(max(0, micro - stage), micro))]


ORDERS: dict[str, Callable[[int, int, int], Order]] = {
    'bp_gpipe': gpipe, 'bp_1f1b': one_forward_one_backward, 'bp_zero_bubble': zero_bubble}


def held_micro_batches(order: Order) -> int:
    """Return the largest number of micro-batches whose activations a stage keeps at once."""
    last = 'weights' if any(kind == 'weights' for kind, _ in order) else 'backward'
    held = peak = 0
    for kind, _ in order:
        held += (kind == 'forward') - (kind == last)
        peak = max(peak, held)
    return peak


def simulate_pipeline(costs: ModelCosts, assignment: Assignment, network: Network, *,
                      kind: str, micro: int, steps: int = 2,
                      strategy: str | None = None) -> Result:
    """Simulate a pipeline of back-propagation; each step ends with an update of all stages.

    Gradients of a stage's replicas are averaged after its last backward pass.

    Args:
        costs: What the modules cost.
        assignment: Which rank holds which modules.
        network: The network between the ranks.
        kind: A key of :data:`ORDERS`.
        micro: Number of micro-batches that a batch is split into.
        steps: Number of steps to simulate, at least 2.
        strategy: What the result is called, by default `kind`.
    """
    stages = len(assignment.stages)
    orders = [ORDERS[kind](stage, stages, micro) for stage in range(stages)]
    run = _Run(costs, assignment, network, micro, split=kind == 'bp_zero_bubble')
    resources: dict[Hashable, list[Task]] = {}
    for stage, order in enumerate(orders):
        resources['rank', stage] = list(run.tasks(stage, order, steps))
        if stage:
            resources['down', stage] = list(run.transfers(stage - 1, stage, steps))
            resources['up', stage] = list(run.transfers(stage, stage - 1, steps))
    spans = simulate(resources)
    ends = [max(spans[Key('average', stage, step)].stop for stage in range(stages))
            for step in range(steps)]
    return Result(
        strategy=strategy or kind, stages=stages, replicas=assignment.replicas,
        period=steady_period(ends), work=costs.bp_seconds, batch_size=costs.batch_size,
        rank_bytes=max(
            costs.bp_bytes(modules, share=held_micro_batches(order) / micro / assignment.replicas)
            for modules, order in zip(assignment.stages, orders, strict=True)),
        spans=spans)


@dataclass(frozen=True)
class _Run:
    costs: ModelCosts
    assignment: Assignment
    network: Network
    micro: int
    split: bool

    def tasks(self, stage: int, order: Order, steps: int) -> Iterator[Task]:
        own = [self.costs.modules[module] for module in self.assignment.stages[stage]]
        share = 1 / (self.micro * self.assignment.replicas)
        backward = share * sum(module.bp_backward for module in own)
        seconds = {'forward': share * sum(module.bp_forward for module in own),
                   # Gradients of inputs and of weights cost the same.
                   'backward': backward / 2 if self.split else backward, 'weights': backward / 2}
        average = self.network.average(sum(module.bp_parameter_bytes for module in own),
                                       self.assignment.replicas)
        for step in range(steps):
            for kind, index in order:
                yield Task(Key(kind, stage, step, index), seconds[kind],
                           after=self._before(kind, stage, step, index))
            yield Task(Key('average', stage, step), average)

    def _before(self, kind: Pass, stage: int, step: int, index: int) -> tuple[Key, ...]:
        if kind == 'forward' and stage > 0:
            return (Key('transfer', stage, step, index),)
        if kind == 'backward' and stage < len(self.assignment.stages) - 1:
            return (Key('gradient', stage, step, index),)
        return ()

    def transfers(self, source: int, target: int, steps: int) -> Iterator[Task]:
        """Carry activations down, or gradients of the same size up."""
        sent, needed = (('transfer', 'forward') if source < target else ('gradient', 'backward'))
        border = self.costs.modules[self.assignment.stages[max(source, target)].start - 1]
        seconds = self.network.transfer(
            border.boundary_bytes / (self.micro * self.assignment.replicas))
        for step in range(steps):
            for index in range(self.micro):
                yield Task(Key(sent, target, step, index), seconds,
                           after=(Key(needed, source, step, index),))
