"""A comparison as text: the formula, a table for each figure, who wins where, the schedule."""
from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Any

from auglocal_mm.lab.measure.memory import BYTES_PER_MIB
from auglocal_mm.lab.pages.text_table import plain_table
from auglocal_mm.plan import Assignment, named_modules, timeline_text

from .compare import Comparison
from .formula import time_ratio
from .measurement import Measurement
from .names import ALONE
from .prediction import expected
from .result import NAMES, Result

#: Rows of a schedule that are readable on a screen.
_READABLE_RANKS = 64
#: Steps of a schedule that is printed, besides one for each stage.
_SHOWN_STEPS = 8


@dataclass(frozen=True, kw_only=True)
class Report:
    """What the tool tells.

    Attributes:
        comparison: The model and the cluster.
        rows: Number of workers -> results by strategy.
        assignment: The assignment that is shown in detail.
        shown: What the simulation found for a few steps of it.
        measured: What was measured for this model, to compare the simulation with.
    """
    comparison: Comparison
    rows: Mapping[int, Mapping[str, Result]]
    assignment: Assignment
    shown: Result
    measured: Measurement | None = None

    @classmethod
    def make(cls, comparison: Comparison, workers: Sequence[int], assignment: Assignment, *,
             measured: Measurement | None = None) -> Report:
        """Simulate everything.

        Args:
            comparison: The model and the cluster.
            workers: Numbers of workers.
            assignment: The assignment to show in detail.
            measured: What was measured for this model, if anything was.
        """
        steps = _SHOWN_STEPS + len(assignment.stages)
        return cls(comparison=comparison, assignment=assignment, measured=measured,
                   rows={ranks: comparison.results(ranks) for ranks in workers},
                   shown=comparison.local(assignment, steps=steps))

    def speed_up(self, result: Result) -> float:
        """Return a throughput as a multiple of that of BP on one worker."""
        return self.comparison.costs.bp_seconds / result.period

    def __str__(self) -> str:
        return '\n\n'.join([
            self._title(), self._formula(),
            self._table('Throughput, as a multiple of BP on 1 worker (best: *)',
                        lambda result: f'{self.speed_up(result):.2f}', best=True),
            self._table('Bubbles: share of the workers\' time without work, %',
                        lambda result: f'{100 * result.bubble:.1f}'),
            self._table('Memory of the worker that needs most, MiB',
                        lambda result: f'{result.rank_bytes / BYTES_PER_MIB:,.0f}'),
            '\n'.join(['Where each wins', *self.winners()]),
            *([self._compared()] if self.measured else []), self._detail()])

    def _title(self) -> str:
        costs, network = self.comparison.costs, self.comparison.cluster.network
        start = 'when the receiver waits' if network.rendezvous else 'when they are sent'
        return (f'{len(costs.modules)} modules, {costs.batch_size} images per step, costs '
                f'{costs.source}\n'
                f'{network.bandwidth / 1e9:g} GB/s and {1e6 * network.latency:g} µs between two '
                f'workers; messages start {start}; queues of {self.comparison.cluster.queue}\n'
                f'1 worker: {1e3 * costs.seconds:,.4g} ms per step, BP '
                f'{1e3 * costs.bp_seconds:,.4g} ms')

    def _formula(self) -> str:
        costs = self.comparison.costs
        slowest = max(costs.modules, key=lambda module: module.seconds)
        share = slowest.seconds / costs.bp_seconds
        return (
            f'Appendix A.1, each unit on a worker of its own: (d + 1) / (L + 1) = '
            f'{costs.depth + 1} / {costs.units} = '
            f"{time_ratio(depth=costs.depth, layers=costs.units):.3f} of BP's time\n"
            f'These costs, each module on a worker of its own: the slowest, {slowest.name}, takes '
            f"{share:.3f} of BP's time")

    def _table(self, title: str, cell: Callable[[Result], str], *, best: bool = False) -> str:
        names = [name for name in NAMES if any(name in row for row in self.rows.values())]
        lines = []
        for ranks, row in self.rows.items():
            fastest = _fastest(row) if best else None
            lines.append((f'{ranks:,}', *(
                f'{cell(row[name])}{"*" if row[name] is fastest else ""}' if name in row else '–'
                for name in names)))
        header = ('workers', *(NAMES[name] for name in names))
        return f'{title}\n{plain_table(lines, header=header, right=range(len(header)))}'

    def winners(self) -> Iterator[str]:
        """Yield a line for each run of numbers of workers that one strategy wins."""
        won = [(ranks, best) for ranks, row in self.rows.items() if (best := _fastest(row))]
        for strategy, group in groupby(won, key=lambda pair: _name(pair[1])):
            several = list(group)
            first, last = several[0][0], several[-1][0]
            where = f'{first:,}' if first == last else f'{first:,} … {last:,}'
            noun = 'worker' if last == 1 else 'workers'
            margins = [margin for ranks, _ in several
                       if (margin := self._margin(self.rows[ranks])) is not None]
            other = 'local learning' if strategy.startswith('BP') else 'BP'
            ahead = (f', {_range(margins)} times the throughput of the best of {other}'
                     if margins and max(margins) >= 1.005 else
                     f', as fast as the best of {other}' if margins else '')
            yield f'  {where} {noun}: {strategy}{ahead}'
        if not won:
            yield '  nothing fits into the memory of a worker'

    @staticmethod
    def _margin(row: Mapping[str, Result]) -> float | None:
        """Return how many times faster the winner is than the best of the other kind."""
        best = {kind: min((result.period for name, result in row.items()
                           if name.startswith(kind)), default=None) for kind in ('local', 'bp')}
        local, bp = best['local'], best['bp']
        return None if local is None or bp is None else max(local, bp) / min(local, bp)

    def misses(self) -> dict[str, tuple[float, float]]:
        """Return the measured and the simulated speed of what was measured, by name.

        Both are multiples of the speed of one worker with the same kind of learning.
        """
        if self.measured is None:
            return {}
        said = expected(self.comparison, ranks=self.measured.ranks, steps=self.measured.steps)
        return {name: (speed, said[name]) for name, speed in self.measured.speeds().items()
                if name in said}

    def _compared(self) -> str:
        assert self.measured is not None
        rows = [(name, f'{speed:.2f}', f'{said:.2f}', f'{said / speed - 1:+.0%}')
                for name, (speed, said) in self.misses().items()]
        if not rows:
            return (f'Measured on {self.measured.ranks} workers: nothing to compare. That needs a '
                    'strategy which is simulated on as many workers, timed beside '
                    f'{" or ".join(map(repr, ALONE))}')
        title = (f'Measured on {self.measured.ranks} workers, and what this simulation says: '
                 'throughput, as a multiple of the same learning on 1 worker')
        return f'{title}\n' + plain_table(
            rows, header=('strategy', 'measured', 'simulated', 'off by'), right=(1, 2, 3))

    def _detail(self) -> str:
        assignment, shown = self.assignment, self.shown
        title = str(assignment).partition('\n')[0]
        speed = (f'{shown.rate}, {self.speed_up(shown):.2f} times BP on 1 '
                 f'worker, bubbles {100 * shown.bubble:.1f} %')
        parts = [f'{title}\n{speed}\n{self._stages()}']
        if len(assignment.stages) <= _READABLE_RANKS:
            replicas = '' if assignment.replicas == 1 else ', replica 0; the others do the same'
            parts.append(f'Schedule: each cell is the step (last digit) that a rank works on, . '
                         f'while it waits{replicas}\n{timeline_text(shown.events)}')
        return '\n\n'.join(parts)

    def _stages(self) -> str:
        costs, queue = self.comparison.costs, self.comparison.cluster.queue
        rows = []
        for stage, modules in enumerate(self.assignment.stages):
            own = costs.modules[modules.start:modules.stop]
            seconds = sum(module.seconds for module in own) / self.assignment.replicas
            memory = costs.local_bytes(modules, replicas=self.assignment.replicas, queue=queue)
            last = modules.stop == len(costs.modules)
            sent = own[-1].boundary_bytes / self.assignment.replicas / BYTES_PER_MIB
            rows.append((str(stage), named_modules(modules), own[0].name, own[-1].name,
                         self.assignment.named_peers(stage), f'{1e3 * seconds:,.4g}',
                         '–' if last else f'{sent:,.1f}', f'{memory / BYTES_PER_MIB:,.0f}'))
        header = ('stage', 'modules', 'from', 'to', 'ranks', 'ms', 'MiB sent', 'MiB held')
        return plain_table(rows, header=header, right=(5, 6, 7))

    def to_dict(self) -> dict[str, Any]:
        """Return plain dicts, lists, numbers and strings."""
        cluster, costs = self.comparison.cluster, self.comparison.costs
        return dict(
            formula=time_ratio(depth=costs.depth, layers=costs.units),
            bandwidth=cluster.network.bandwidth, latency=cluster.network.latency,
            rendezvous=cluster.network.rendezvous, queue=cluster.queue,
            bp_seconds=costs.bp_seconds, local_seconds=costs.seconds, source=costs.source,
            batch_size=costs.batch_size,
            stages=[[stage.start, stage.stop] for stage in self.assignment.stages],
            replicas=self.assignment.replicas,
            measured={name: dict(measured=speed, simulated=said)
                      for name, (speed, said) in self.misses().items()},
            results=[result.to_dict() for row in self.rows.values() for result in row.values()])


def _fastest(row: Mapping[str, Result]) -> Result | None:
    return min(row.values(), key=lambda result: result.period, default=None)


def _name(result: Result) -> str:
    # On one worker, every strategy is the plain loop.
    if result.ranks == 1:
        return 'BP' if result.strategy.startswith('bp') else 'local learning'
    return NAMES[result.strategy]


def _range(values: Sequence[float]) -> str:
    low, high = f'{min(values):.2f}', f'{max(values):.2f}'
    return low if low == high else f'{low} to {high}'

