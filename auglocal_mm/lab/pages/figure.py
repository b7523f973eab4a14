"""A figure over seeds: its mean and spread, and how both are written."""
from __future__ import annotations

import statistics
from collections.abc import Mapping, Sequence
from typing import Any


def summarise(values: Sequence[float]) -> dict[str, Any]:
    """Return mean, standard deviation (n − 1; None for a single run), n and the values."""
    return {'mean': statistics.fmean(values),
            'std': statistics.stdev(values) if len(values) > 1 else None,
            'n': len(values), 'values': list(values)}


def figure(value: Mapping[str, Any] | None, digits: int) -> str:
    """Format a figure as ``93.96 ± 0.15``, without a missing spread; a dash for no figure."""
    if value is None:
        return '–'
    text = f'{value["mean"]:.{digits}f}'
    return text if value.get('std') is None else f'{text} ± {value["std"]:.{digits}f}'
