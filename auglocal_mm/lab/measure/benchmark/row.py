"""A row of the benchmark: what was measured for a config, and ratios to the reference."""
from __future__ import annotations

import dataclasses
import statistics
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from .entry import Entry, PaperCost
from .turns import Outcome


@dataclass(frozen=True)
class Row:
    """One config's figures; those of a config that failed are ``None``.

    Attributes:
        name: Name of the entry.
        method: Its method as named in charts, if it is one of theirs.
        error: Why there are no figures.
        paper: What the paper reports.
        seconds: Every timed step, in the order of the rounds.
        measured: What else its process reported: ``step_cpu_seconds`` (median; other
            processes do not affect it), ``saved_activations_mb``, ``live_peak_mb`` (everything
            that is alive at the peak), ``live_parts_mb`` (that by what it is held for),
            ``made_peak_mb`` (what the step itself has made of it), ``peak_memory_mb``,
            ``idle_memory_mb``, ``params``, ``flops``, ``batch_size``, ``threads`` and others.
        reference: Name of the row that ratios compare with.
        ratios: ``time_ratio``, of medians, with the quartiles of its rounds'
            ratios; ``cpu_time_ratio``; ``memory_ratio``, of saved activations;
            ``live_peak_ratio`` and ``made_ratio``; ``peak_ratio``, of peak memory minus what the
            process held before it built the model; ``paper_time_ratio`` and
            ``paper_memory_ratio``, of the paper's figures.
    """
    name: str
    method: str | None
    error: str | None = None
    paper: PaperCost | None = None
    seconds: tuple[float, ...] = ()
    measured: dict[str, Any] = field(default_factory=dict)
    reference: str | None = None
    ratios: dict[str, float | None] = field(default_factory=dict)

    @property
    def step_seconds(self) -> float:
        """Median of the timed steps."""
        return statistics.median(self.seconds)

    @property
    def growth_mb(self) -> float:
        """Peak memory minus what the process held before it built the model."""
        return self.measured['peak_memory_mb'] - self.measured['idle_memory_mb']

    @property
    def images_per_second(self) -> float:
        """Throughput, from the median step."""
        return self.measured['batch_size'] / self.step_seconds

    def to_dict(self) -> dict[str, Any]:
        """Return plain values for JSON, with the same keys for every row."""
        done = self.error is None
        first, third = quartiles(self.seconds) if done else (None, None)
        keys = ('step_cpu_seconds', 'saved_activations_mb', 'live_peak_mb', 'live_parts_mb',
                'made_peak_mb', 'peak_memory_mb', 'idle_memory_mb', 'params', 'backbone_params',
                'auxiliary_params', 'flops', 'backbone_flops', 'batch_size', 'image', 'threads',
                'precision', 'device', 'torch')
        return {
            'name': self.name, 'method': self.method, 'error': self.error,
            'step_seconds': self.step_seconds if done else None,
            'step_seconds_q1': first, 'step_seconds_q3': third, 'rounds': len(self.seconds),
            'images_per_second': self.images_per_second if done else None,
            **{key: self.measured.get(key) for key in keys},
            'reference': self.reference,
            **{key: self.ratios.get(key) for key in (
                'time_ratio', 'time_ratio_q1', 'time_ratio_q3', 'cpu_time_ratio', 'memory_ratio',
                'live_peak_ratio', 'made_ratio', 'peak_ratio', 'paper_time_ratio',
                'paper_memory_ratio')},
            'paper': dataclasses.asdict(self.paper) if self.paper else None}


def quartiles(values: Sequence[float]) -> tuple[float, float]:
    """Return the first and third quartile; for a single value, that value twice."""
    if len(values) == 1:
        return values[0], values[0]
    first, _, third = statistics.quantiles(values, n=4, method='inclusive')
    return first, third


def rows_of(entries: Sequence[Entry], methods: Sequence[str | None],
            outcomes: dict[str, Outcome]) -> tuple[Row, ...]:
    """Build rows with ratios to back-propagation, or to the first row that has figures.

    Args:
        entries: What was measured.
        methods: The method of each.
        outcomes: The outcomes of their workers, by name.
    """
    rows = [
        Row(entry.name, method, outcome.error, entry.paper,
            () if outcome.error else tuple(outcome.step_seconds),
            {} if outcome.error else outcome.measured)
        for entry, method, outcome in zip(
            entries, methods, (outcomes[entry.name] for entry in entries), strict=True)]
    done = [row for row in rows if row.error is None]
    if not done:
        return tuple(rows)
    reference = next((row for row in done if row.method == 'bp'), done[0])
    return tuple(
        dataclasses.replace(row, reference=reference.name,
                            ratios={} if row.error else _ratios(row, reference))
        for row in rows)


def _ratios(row: Row, reference: Row) -> dict[str, float | None]:
    # Two steps of one round ran under the same load, so their ratio varies less.
    first, third = quartiles([mine / other for mine, other in zip(
        row.seconds, reference.seconds, strict=True)])
    theirs = (row.paper.ratios(reference.paper) if row.paper and reference.paper
              else (None, None))
    growth = reference.growth_mb

    def ratio(key: str) -> float:
        return row.measured[key] / reference.measured[key]

    return {
        'time_ratio': row.step_seconds / reference.step_seconds,
        'time_ratio_q1': first, 'time_ratio_q3': third,
        'cpu_time_ratio': ratio('step_cpu_seconds'),
        'memory_ratio': ratio('saved_activations_mb'),
        'live_peak_ratio': ratio('live_peak_mb'), 'made_ratio': ratio('made_peak_mb'),
        'peak_ratio': row.growth_mb / growth if growth > 0 else None,
        'paper_time_ratio': theirs[0], 'paper_memory_ratio': theirs[1]}
