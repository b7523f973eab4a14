"""Back-propagation with data parallelism: ring all-reduce, bucket by bucket."""
from __future__ import annotations

from collections.abc import Sequence

from .costs import ModelCosts
from .engine import Key, Task, simulate
from .network import Network
from .result import Result, steady_period

#: Gradients are averaged in buckets of this size, as in PyTorch.
BUCKET_BYTES = 25 * 2**20


def simulate_data_parallel(costs: ModelCosts, ranks: int, network: Network, *,
                           steps: int = 4) -> Result:
    """Simulate back-propagation on ranks that share each batch.

    A bucket is averaged while the backward pass of earlier modules runs.

    Args:
        costs: What the modules cost.
        ranks: Number of ranks.
        network: The network between them.
        steps: Number of steps to simulate, at least 2.
    """
    buckets = gradient_buckets([module.bp_parameter_bytes for module in costs.modules])
    rank: list[Task] = []
    ring: list[Task] = []
    for step in range(steps):
        rank += [Task(Key('forward', 0, step, index), module.bp_forward / ranks)
                 for index, module in enumerate(costs.modules)]
        rank += [Task(Key('backward', 0, step, index), costs.modules[index].bp_backward / ranks)
                 for index in reversed(range(len(costs.modules)))]
        for number, bucket in enumerate(buckets):
            size = sum(costs.modules[index].bp_parameter_bytes for index in bucket)
            ring.append(Task(Key('ring', 0, step, number), network.average(size, ranks),
                             after=(Key('backward', 0, step, bucket[-1]),)))
        rank.append(Task(Key('average', 0, step), after=(Key('ring', 0, step, len(buckets) - 1),)))
    spans = simulate({'rank': rank, 'ring': ring})
    return Result(
        strategy='bp_data_parallel', stages=1, replicas=ranks,
        period=steady_period([spans[Key('average', 0, step)].stop for step in range(steps)]),
        work=costs.bp_seconds, batch_size=costs.batch_size,
        rank_bytes=costs.bp_bytes(range(len(costs.modules)), share=1 / ranks),
        spans=spans)


def gradient_buckets(sizes: Sequence[float], limit: float = BUCKET_BYTES) -> list[list[int]]:
    """Return the modules of each bucket, from the last module to the first.

    A bucket ends with the module that fills it.

    Args:
        sizes: Bytes of the gradients of each module.
        limit: Bytes that fill a bucket.
    """
    buckets: list[list[int]] = [[]]
    for index in reversed(range(len(sizes))):
        if sum(sizes[each] for each in buckets[-1]) >= limit:
            buckets.append([])
        buckets[-1].append(index)
    return buckets

