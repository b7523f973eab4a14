"""Memory of training steps at any batch size, counted and not timed."""
from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import permutations
from typing import Any

import numpy as np

from auglocal_mm.lab.measure.live_memory import LivePeak
from auglocal_mm.lab.measure.live_series import MemoryLaw

from .entry import Entry, method_of
from .settings import Settings

#: Batch size from whose multiples all others follow; it can be split in 4.
COUNTED_BATCH = 4


@dataclass(frozen=True)
class Counted:
    """The memory of one row.

    Attributes:
        name: Name of the entry.
        method: Its method as named in charts, if it is one of theirs.
        depth: Depth of the backbone, if depths are compared.
        batches: Batch sizes that were asked for.
        law: How its memory grows with the batch.
        params: Number of parameters.
        auxiliary_params: How many of them are those of auxiliary networks.
    """
    name: str
    method: str | None
    depth: int | None
    batches: tuple[int, ...]
    law: MemoryLaw
    params: int
    auxiliary_params: int

    @cached_property
    def peaks(self) -> dict[int, LivePeak]:
        """Batch size -> the peak of a step."""
        return {batch: self.law.peak(batch) for batch in self.batches}


def count_memory(entries: Sequence[Entry], settings: Settings, batches: Sequence[int],
                 say: Callable[[str], None], *, depths: Sequence[int] = (),
                 ) -> tuple[Counted, ...]:
    """Count every entry, one after another in this process; no size needs more memory than another.

    Args:
        entries: What to count; classifiers.
        settings: Device, precision and options; its batch size, rounds and warm-up do not matter.
        batches: Batch sizes to report.
        say: Called with a line about each row.
        depths: Depths of the backbone to count every entry with; its own if empty.

    Raises:
        FileNotFoundError, ValueError: A config or a setting is impossible.
    """
    from .model_kind import kind_of
    from .subject import TrainingSubject, config_of
    from .worker import silence

    silence()
    _check(entries, batches)
    settings = dataclasses.replace(settings, batch_size=COUNTED_BATCH)
    counted = []
    for depth in depths or (None,):
        for entry in entries:
            each = entry if depth is None else dataclasses.replace(
                entry, options={**entry.options, 'model.backbone.depth': depth})
            cfg = config_of(each, settings)
            kind = kind_of(cfg, entry.config)
            if kind.noun != 'classifier':
                raise ValueError(f'--count takes classifiers, got {entry.name}, a {kind.noun}: '
                                 'how much a head keeps depends on the images')
            say(f'counting {entry.name}' + ('' if depth is None else f', depth {depth}'))
            subject = TrainingSubject(each, settings)
            params, auxiliary = subject.params
            try:
                law = subject.memory_law()
            except ValueError as fault:
                raise ValueError(f'{entry.name} cannot be counted: {fault}') from None
            counted.append(Counted(entry.name, entry.rival or method_of(cfg.model), depth,
                                   tuple(batches), law, params, auxiliary))
    return tuple(counted)


def _check(entries: Sequence[Entry], batches: Sequence[int]) -> None:
    if not batches or min(batches) < 1:
        raise ValueError('--count must be batch sizes of at least 1 image, got '
                         f'{" ".join(map(str, batches)) or "none"}')
    uneven = [batch for batch in batches if batch % 4]
    split = [entry.name for entry in entries if entry.rival == 'bp-accumulate']
    if uneven and split:
        raise ValueError(f'--count must be multiples of 4 for {split[0]}, got {uneven[0]}')


def reference_of(row: Counted, rows: Sequence[Counted]) -> Counted:
    """Return what a row is compared with: BP of the same depth, or the first of that depth."""
    same = [each for each in rows if each.depth == row.depth]
    return next((each for each in same if each.method == 'bp'), same[0])


def least_batches(rows: Sequence[Counted], *, most: int = 4096, step: int = 4,
                  ) -> dict[tuple[str, str], int | None]:
    """Return the batch sizes from which on rows need less memory than others.

    Args:
        rows: Rows of one depth.
        most: Largest batch size that is looked at.
        step: Batch sizes are multiples of it.

    Returns:
        Names of two rows -> the least batch size from which on the first needs less; ``None`` if
        it needs as much or more at `most`.
    """
    batches = np.arange(step, most + 1, step)
    totals = {row.name: row.law.totals_mb(batches) for row in rows}
    found: dict[tuple[str, str], int | None] = {}
    for name, other in permutations(totals, 2):
        lost = np.flatnonzero(totals[name] >= totals[other])
        first = int(lost[-1]) + 1 if len(lost) else 0
        found[name, other] = int(batches[first]) if first < len(batches) else None
    return found


def counted_json(rows: Sequence[Counted]) -> str:
    """Return the rows as JSON, one object for each row and batch size."""
    return json.dumps([fields for row in rows for fields in _fields(row, rows)], indent=2,
                      allow_nan=False)


def _fields(row: Counted, rows: Sequence[Counted]) -> list[dict[str, Any]]:
    reference = reference_of(row, rows)
    found = []
    for batch, peak in row.peaks.items():
        theirs = reference.peaks[batch]
        found.append({
            'name': row.name, 'method': row.method, 'depth': row.depth, 'batch_size': batch,
            'live_peak_mb': peak.total_mb, 'live_peak_ratio': peak.total_mb / theirs.total_mb,
            'live_parts_mb': peak.parts_mb, 'made_peak_mb': peak.made_mb,
            'made_ratio': peak.made_mb / theirs.made_mb, 'params': row.params,
            'auxiliary_params': row.auxiliary_params, 'reference': reference.name})
    return found
