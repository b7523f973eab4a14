"""Means of values that live on a device; reading them is all that waits for it."""
from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping

import torch
from torch import Tensor


class RunningMeans:
    """Adds up named scalars, one addition on the device for all names of a step."""

    def __init__(self) -> None:
        self._sums: dict[tuple[str, ...], Tensor] = {}
        self._counts: Counter[tuple[str, ...]] = Counter()

    def add(self, values: Mapping[str, Tensor]) -> None:
        """Add one step's values; names may differ from step to step."""
        names = tuple(values)
        if not names:
            return
        stacked = torch.stack(list(values.values()))
        self._sums[names] = self._sums[names] + stacked if names in self._sums else stacked
        self._counts[names] += 1

    def take(self) -> dict[str, float]:
        """Return the mean of every name since the last call, and start from zero."""
        sums: dict[str, float] = defaultdict(float)
        counts: Counter[str] = Counter()
        for names, stacked in self._sums.items():
            for name, value in zip(names, stacked.tolist(), strict=True):
                sums[name] += value
                counts[name] += self._counts[names]
        self._sums, self._counts = {}, Counter()
        return {name: total / counts[name] for name, total in sums.items()}
