"""Which rank trains which modules, as pure data."""
from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from itertools import pairwise
from math import inf, isfinite
from typing import TypeAlias

from .balance import balanced_modules
from .text_table import table_lines

#: Bytes of each module, which add up on a rank; or a function of a run of modules.
Memory: TypeAlias = Sequence[float] | Callable[[range], float]
#: Number of peers up to which a table names all of them.
_NAMED_PEERS = 8


@dataclass(frozen=True)
class Assignment:
    """Contiguous runs of modules, one for each stage, and how many ranks hold each stage.

    Ranks are numbered replica by replica, so neighbouring stages are neighbouring ranks. Within
    a replica the last stage comes first: a step ends there, and rank 0 writes the log.

    Attributes:
        stages: The modules of each stage, in the order of the forward pass.
        replicas: Number of ranks that hold each stage and share its batches.

    Raises:
        ValueError: The stages leave modules out, or there is no replica.
    """
    stages: tuple[range, ...]
    replicas: int = 1

    def __post_init__(self) -> None:
        bounds = [(stage.start, stage.stop) for stage in self.stages]
        joined = bool(bounds) and bounds[0][0] == 0 and all(
            a[1] == b[0] for a, b in pairwise(bounds))
        if not joined or any(stage.step != 1 or not stage for stage in self.stages):
            raise ValueError(f'stages must hold the modules from 0 in order and without gaps, at '
                             f'least one each, got {list(self.stages)}')
        if self.replicas < 1:
            raise ValueError(f'replicas must be at least 1, got {self.replicas}')

    @property
    def world(self) -> int:
        """Number of ranks."""
        return len(self.stages) * self.replicas

    @property
    def modules(self) -> int:
        """Number of modules."""
        return self.stages[-1].stop

    def rank_of(self, stage: int, replica: int = 0) -> int:
        """Return the rank that holds a stage in one of the replicas."""
        if not (0 <= stage < len(self.stages) and 0 <= replica < self.replicas):
            raise ValueError(
                f'stage and replica must be in 0 … {len(self.stages) - 1} and 0 … '
                f'{self.replicas - 1}, got {stage} and {replica}')
        return (replica + 1) * len(self.stages) - 1 - stage

    def stage_of(self, rank: int) -> int:
        """Return the stage that a rank holds."""
        return len(self.stages) - 1 - self._checked(rank) % len(self.stages)

    def replica_of(self, rank: int) -> int:
        """Return the replica that a rank is part of."""
        return self._checked(rank) // len(self.stages)

    def modules_of(self, rank: int) -> range:
        """Return the modules that a rank trains."""
        return self.stages[self.stage_of(rank)]

    def peers(self, stage: int) -> tuple[int, ...]:
        """Return the ranks that hold the same stage, and so average its gradients."""
        return tuple(self.rank_of(stage, replica) for replica in range(self.replicas))

    def named_peers(self, stage: int) -> str:
        """Name the peers of a stage, for a table cell; of many, the first two and the last."""
        peers = [str(rank) for rank in self.peers(stage)]
        return ', '.join(peers if len(peers) <= _NAMED_PEERS else [*peers[:2], '…', peers[-1]])

    def _checked(self, rank: int) -> int:
        if not 0 <= rank < self.world:
            raise ValueError(f'rank must be in 0 … {self.world - 1}, got {rank}')
        return rank

    def __str__(self) -> str:
        rows = [(str(stage), named_modules(modules), self.named_peers(stage))
                for stage, modules in enumerate(self.stages)]
        title = (f'{_count(self.modules, "module")} on {_count(self.world, "rank")}: '
                 f'{_count(len(self.stages), "stage")} × {_count(self.replicas, "replica")}')
        return '\n'.join([title, *table_lines(('stage', 'modules', 'ranks'), rows)])


def assign_stages(costs: Sequence[float], stages: int, *, memory: Memory | None = None,
                  limit: float | None = None, ends: Collection[int] | None = None,
                  ) -> tuple[range, ...]:
    """Cut modules into stages, so that the slowest stage is as fast as possible.

    The cut is exact. Among such cuts, the second slowest stage is as fast as possible, and so
    on; among equal ones, earlier stages have fewer modules, because they also hold the larger
    features.

    Args:
        costs: Cost of each module; those of a stage add up.
        stages: Number of stages.
        memory: Bytes of each module, which add up, or a function that returns the bytes of a
            rank with a run of modules.
        limit: Largest number of bytes that a rank may need; needs `memory`.
        ends: Indices of the modules after which a stage may end; by default, all.

    Raises:
        ValueError: There are fewer places to end a stage than stages, or no cut keeps the limit.
    """
    _check(costs, stages, memory, limit)
    allowed = {*(range(len(costs)) if ends is None else ends), len(costs) - 1}
    places = len(allowed & set(range(len(costs))))
    if not 1 <= stages <= places:
        which = 'modules' if places == len(costs) else 'modules that a stage may end with'
        raise ValueError(f'stages must be in 1 … {places}, the number of {which}, got {stages}')
    needed = _needed(memory)

    def cost(_: int, start: int, stop: int) -> float:
        fits = limit is None or needed(range(start, stop)) <= limit
        return sum(costs[start:stop]) if fits and stop - 1 in allowed else inf

    owners = balanced_modules(len(costs), stages, cost)
    if owners is None:
        assert limit is not None  # Without a limit, every place is possible.
        more = (count for count in range(stages + 1, places + 1)
                if balanced_modules(len(costs), count, cost) is not None)
        raise ValueError(_too_small(stages, limit, next(more, None)))
    return tuple(range(owners.index(stage), len(owners) - owners[::-1].index(stage))
                 for stage in range(stages))


def _check(costs: Sequence[float], stages: int, memory: Memory | None,
           limit: float | None) -> None:
    wrong = [cost for cost in costs if not (isfinite(cost) and cost >= 0)]
    if wrong or not costs:
        raise ValueError(f'costs must be finite and at least 0, one for each module, got '
                         f'{wrong[0] if wrong else "none"}')
    if limit is not None and memory is None:
        raise ValueError(f'limit={limit} needs the memory of the modules; pass memory')
    if memory is not None and not callable(memory) and len(memory) != len(costs):
        raise ValueError(f'memory must have a value for each of {len(costs)} modules, got '
                         f'{len(memory)}')


def _needed(memory: Memory | None) -> Callable[[range], float]:
    if callable(memory):
        return memory
    values = memory or ()
    return lambda modules: sum(values[modules.start:modules.stop])


def _too_small(stages: int, limit: float, enough: int | None) -> str:
    fix = (f'{enough} stages would do' if enough is not None else
           'not even a stage for each place does; raise the limit')
    return f'no cut into {_count(stages, "stage")} keeps {limit:,.0f} bytes per rank; {fix}'


def named_modules(modules: range) -> str:
    """Name a run of modules, for a table cell."""
    return str(modules[0]) if len(modules) == 1 else f'{modules[0]} … {modules[-1]}'


def _count(number: int, noun: str) -> str:
    return f'{number} {noun}{"" if number == 1 else "s"}'
