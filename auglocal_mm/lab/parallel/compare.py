"""Every strategy on every number of workers, each doing the same training steps."""
from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import cached_property

from auglocal_mm.plan import Assignment, assign_stages

from .backprop import simulate_data_parallel
from .costs import ModelCosts
from .local import simulate_local
from .network import Network
from .pipelines import ORDERS, simulate_pipeline
from .result import NAMES, Result

#: Micro-batches for each stage, if nobody asks for another number: GPipe's rule.
MICRO_PER_STAGE = 4


@dataclass(frozen=True, kw_only=True)
class Cluster:
    """The ranks that strategies are compared on, and the settings of the strategies.

    Attributes:
        network: The network between ranks.
        queue: Largest number of carries between two stages of a local pipeline.
        micro: Number of micro-batches in pipelines of back-propagation; ``None`` for 4 for each
            stage, or as many as a replica has images.
        limit: Bytes of memory of each rank; ``None`` if there is no limit.
    """
    network: Network = field(default_factory=Network)
    queue: int = 2
    micro: int | None = None
    limit: float | None = None

    def __post_init__(self) -> None:
        # `not >=` and `not >` refuse nan as well.
        for option, value in (('--queue', self.queue), ('--micro-batches', self.micro)):
            if value is not None and not value >= 1:
                raise ValueError(f'{option} must be at least 1, got {value}')
        if self.limit is not None and not self.limit > 0:
            raise ValueError(f'--memory-limit must be above 0 GiB, got {self.limit / 2**30:g}')


@dataclass(frozen=True)
class Comparison:
    """Strategies on one model and one cluster.

    Every strategy takes the same steps: one update for each batch of all images, however many
    ranks share it.

    Attributes:
        costs: What the model costs.
        cluster: Where it would be trained.
    """
    costs: ModelCosts
    cluster: Cluster

    def results(self, ranks: int) -> dict[str, Result]:
        """Return what is possible on a number of ranks, by strategy in the order of NAMES.

        A strategy that does not fit is left out: more stages than modules, more ranks than
        images, or more memory than the limit.

        Args:
            ranks: Number of ranks.
        """
        found = {result.strategy: result for result in self._possible(ranks) if self._fits(result)}
        return {name: found[name] for name in NAMES if name in found}

    def local(self, assignment: Assignment, *, steps: int = 32,
              strategy: str = 'local_hybrid') -> Result:
        """Simulate local learning."""
        return simulate_local(self.costs, assignment, self.cluster.network,
                              queue=self.cluster.queue, steps=steps, strategy=strategy)

    def pipeline(self, kind: str, assignment: Assignment, *,
                 steps: int = 2, strategy: str | None = None) -> Result | None:
        """Simulate a pipeline of back-propagation; ``None`` if there are too few images."""
        images = self.costs.batch_size // assignment.replicas
        micro = self.cluster.micro or min(MICRO_PER_STAGE * len(assignment.stages), images)
        if not 1 <= micro <= images:
            return None
        return simulate_pipeline(self.costs, assignment, self.cluster.network, kind=kind,
                                 micro=micro, steps=steps, strategy=strategy)

    def local_stages(self, stages: int, *, replicas: int = 1) -> Assignment:
        """Cut the modules for local learning.

        Raises:
            ValueError: There are too few modules, or the memory limit cannot be kept.
        """
        def memory(modules: range) -> float:
            return self.costs.local_bytes(modules, replicas=replicas, queue=self.cluster.queue)

        cut = assign_stages([module.seconds for module in self.costs.modules], stages,
                            memory=memory, limit=self.cluster.limit, ends=self.costs.ends)
        return Assignment(cut, replicas)

    def bp_stages(self, stages: int, *, replicas: int = 1) -> Assignment:
        """Cut the modules for back-propagation, where a stage may end after any module.

        Raises:
            ValueError: There are too few modules.
        """
        cut = self._bp_cuts.get(stages)
        if cut is None:
            cut = self._bp_cuts[stages] = assign_stages(
                [module.bp_seconds for module in self.costs.modules], stages)
        return Assignment(cut, replicas)

    @cached_property
    def _bp_cuts(self) -> dict[int, tuple[range, ...]]:
        return {}

    def _fits(self, result: Result) -> bool:
        return self.cluster.limit is None or result.rank_bytes <= self.cluster.limit

    def _possible(self, ranks: int) -> Iterator[Result]:
        images = self.costs.batch_size
        if ranks > 1 and (pipeline := self._cut_locally(ranks)):
            yield self.local(pipeline, strategy='local_pipeline')
        if ranks <= images and (whole := self._cut_locally(1, replicas=ranks)):
            yield self.local(whole, strategy='local_data_parallel')
        splits = [stages for stages in range(2, ranks // 2 + 1)
                  if ranks % stages == 0 and ranks // stages <= images]
        yield from self._best(self._local_hybrids(splits, ranks), self.local)
        if ranks <= images:
            yield simulate_data_parallel(self.costs, ranks, self.cluster.network)
        if 1 < ranks <= len(self.costs.modules):
            for kind in ORDERS:
                result = self.pipeline(kind, self.bp_stages(ranks))
                yield from [] if result is None else [result]
        yield from self._best(
            self._bp_hybrids(splits, ranks),
            lambda assignment: self.pipeline('bp_zero_bubble', assignment, strategy='bp_hybrid'))

    def _best(self, candidates: Iterator[tuple[float, Assignment]],
              simulated: Callable[[Assignment], Result | None]) -> list[Result]:
        """Return the fastest of the candidates that fit, each given with its slowest stage."""
        best: Result | None = None
        for slowest, assignment in sorted(candidates, key=lambda pair: pair[0]):
            # No pipeline is faster than its slowest stage, so the others need no simulation.
            if best is not None and slowest >= best.period:
                break
            result = simulated(assignment)
            if result and self._fits(result) and (best is None or result.period < best.period):
                best = result
        return [] if best is None else [best]

    def _local_hybrids(self, splits: Sequence[int],
                       ranks: int) -> Iterator[tuple[float, Assignment]]:
        for stages in splits:
            if assignment := self._cut_locally(stages, replicas=ranks // stages):
                yield _slowest([each.seconds for each in self.costs.modules], assignment)

    def _bp_hybrids(self, splits: Sequence[int],
                    ranks: int) -> Iterator[tuple[float, Assignment]]:
        for stages in splits:
            if stages <= len(self.costs.modules):
                yield _slowest([each.bp_seconds for each in self.costs.modules],
                               self.bp_stages(stages, replicas=ranks // stages))

    def _cut_locally(self, stages: int, *, replicas: int = 1) -> Assignment | None:
        if stages > len(self.costs.ends):
            return None
        try:
            return self.local_stages(stages, replicas=replicas)
        except ValueError:  # It does not fit into the memory.
            return None


def _slowest(seconds: Sequence[float], assignment: Assignment) -> tuple[float, Assignment]:
    stages = [sum(seconds[stage.start:stage.stop]) for stage in assignment.stages]
    return max(stages) / assignment.replicas, assignment
