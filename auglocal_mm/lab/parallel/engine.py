"""A discrete-event simulation: tasks on resources, each after those that it needs."""
from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from auglocal_mm.plan import Event

#: Kinds of tasks that the network does while its ranks do something else.
NETWORK = ('transfer', 'gradient', 'ring')


class Key(NamedTuple):
    """The name of a task.

    Attributes:
        kind: What it does: a kind of an event, or one of :data:`NETWORK`.
        place: The rank (of the first replica) that does it or that receives it.
        step: Number of the training step.
        part: Index of the module or of the micro-batch; ``None`` for all of them.
    """
    kind: str
    place: int
    step: int
    part: int | None = None


@dataclass(frozen=True)
class Task:
    """Something that occupies its resource for some time.

    Attributes:
        key: Its name, unique.
        seconds: How long it takes.
        after: Keys of the tasks that must be over before it starts, besides the one before it on
            its own resource.
    """
    key: Key
    seconds: float = 0.0
    after: tuple[Key, ...] = ()


@dataclass(frozen=True)
class Span:
    """When a task ran.

    Attributes:
        ready: When its resource was free for it; until `start` it waited for others.
        start: When it started.
        stop: When it was over.
    """
    ready: float
    start: float
    stop: float


def simulate(resources: Mapping[Hashable, Sequence[Task]]) -> dict[Key, Span]:
    """Run every resource's tasks in their order and as early as possible.

    Args:
        resources: The tasks of each rank, link or ring, in the order in which it runs them.

    Returns:
        When each task ran.

    Raises:
        RuntimeError: Tasks wait for each other, or for one that does not exist.
    """
    spans: dict[Key, Span] = {}
    place = dict.fromkeys(resources, 0)
    free = dict.fromkeys(resources, 0.0)
    waiting: dict[Key, list[Hashable]] = {}
    able = list(resources)
    while able:
        resource = able.pop()
        tasks = resources[resource]
        while place[resource] < len(tasks):
            task = tasks[place[resource]]
            missing = next((key for key in task.after if key not in spans), None)
            if missing is not None:
                waiting.setdefault(missing, []).append(resource)
                break
            ready = free[resource]
            start = max([ready, *(spans[key].stop for key in task.after)])
            free[resource] = start + task.seconds
            spans[task.key] = Span(ready, start, free[resource])
            place[resource] += 1
            able += waiting.pop(task.key, [])
    stuck = [resource for resource, tasks in resources.items() if place[resource] < len(tasks)]
    if stuck:
        task = resources[stuck[0]][place[stuck[0]]]
        raise RuntimeError(f'{stuck[0]} would wait for ever at {task.key}, for '
                           f'{next(key for key in task.after if key not in spans)}')
    return spans


def events_of(spans: Mapping[Key, Span]) -> tuple[Event, ...]:
    """Return what ranks did; a task that only waits is one from when its rank was free."""
    return tuple(
        Event(rank=key.place, kind=key.kind, step=key.step, part=key.part, stop=span.stop,
              start=span.start if span.stop > span.start else span.ready)
        for key, span in spans.items() if key.kind not in NETWORK and span.stop > span.ready)
