"""What the simulation says about a benchmark, from modules that were timed on the same machine."""
from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from auglocal_mm.lab.measure.benchmark.settings import Settings

from .compare import Cluster, Comparison
from .names import ALONE, MICRO_BATCHES, PIPELINE, kind_of

if TYPE_CHECKING:
    from .throughput import Job

#: What the benchmark and the simulation call the same thing. Without averages it is no training.
_SIMULATED = {'local data parallel': 'local_data_parallel', 'BP data parallel': 'bp_data_parallel',
              'BP GPipe': 'bp_gpipe', 'BP 1F1B': 'bp_1f1b'}
_ALONE = dict(zip(ALONE, ('local_data_parallel', 'bp_data_parallel'), strict=True))


def predict(job: Job) -> dict[str, float]:
    """Time each module of the local config alone, and simulate the benchmark with these times.

    Returns:
        See :func:`expected`.
    """
    from .counted import counted_costs
    from .measured import measured_costs

    settings = Settings(batch_size=job.size, threads=1, rounds=max(job.rounds, 3), warmup=1,
                        options=dict(job.options))
    costs = measured_costs(job.local, settings, counted_costs(job.local, settings, 1e12))
    return expected(Comparison(costs, Cluster()), ranks=job.ranks, steps=job.steps)


def expected(comparison: Comparison, *, ranks: int, steps: int) -> dict[str, float]:
    """Return what a simulation says about a benchmark.

    The local pipeline is simulated as it is timed: it is empty at the start of a turn, and
    drained at its end. Those of back-propagation have the benchmark's number of micro-batches.

    Args:
        comparison: The model and the cluster.
        ranks: Number of ranks of the benchmark.
        steps: Steps of a turn.

    Returns:
        Throughput as a multiple of the same kind's on one rank, by the benchmark's names.
    """
    micro = min(MICRO_BATCHES, comparison.costs.batch_size)
    comparison = replace(comparison, cluster=replace(comparison.cluster, micro=micro))
    alone, shared = comparison.results(1), comparison.results(ranks)
    single = {name: alone[key].period for name, key in _ALONE.items() if key in alone}
    found = {name: single[kind_of(name)] / shared[key].period
             for name, key in _SIMULATED.items() if key in shared and kind_of(name) in single}
    if 'local_pipeline' in shared and kind_of(PIPELINE) in single:
        # A simulation has two steps or more.
        turn = comparison.local(comparison.local_stages(ranks), steps=max(steps, 2))
        seconds = max(span.stop for key, span in turn.spans.items() if key.step < steps) / steps
        found[PIPELINE] = single[kind_of(PIPELINE)] / seconds
    return found
