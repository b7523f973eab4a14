"""Throughput that was measured on several ranks, to compare a simulation with."""
from __future__ import annotations

import json
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from math import isfinite
from pathlib import Path
from typing import Any

from auglocal_mm.files import FileError, read_json

from .names import ALONE, kind_of, names_of


@dataclass(frozen=True, kw_only=True)
class Timed:
    """A strategy's figures.

    Attributes:
        name: Its name.
        seconds: Seconds per step, one value for each round.
    """
    name: str
    seconds: tuple[float, ...]

    @property
    def median(self) -> float:
        """Median seconds per step."""
        return statistics.median(self.seconds)

    def times(self, reference: Timed) -> float:
        """Return the throughput as a multiple of another strategy's.

        It is the median over rounds. A shared machine changes its speed between rounds more than
        within one.
        """
        return statistics.median(other / own for other, own in
                                 zip(reference.seconds, self.seconds, strict=True))


def model_options(options: Mapping[str, Any]) -> dict[str, Any]:
    """Return those settings that override a config's model, with values as JSON has them."""
    return {key: json.loads(json.dumps(value)) for key, value in options.items()
            if key.split('.')[0] == 'model'}


def speeds_of(strategies: Sequence[Timed]) -> dict[str, float]:
    """Return throughputs by name, as multiples of that of the same learning on one rank.

    A strategy of which the latter was not timed is left out.
    """
    alone = {timed.name: timed for timed in strategies if timed.name in ALONE}
    return {timed.name: timed.times(alone[kind_of(timed.name)]) for timed in strategies
            if kind_of(timed.name) in alone}


@dataclass(frozen=True, kw_only=True)
class Measurement:
    """What a benchmark of strategies found.

    Attributes:
        config: Name of the local config, see :func:`~.costs.config_name`.
        batch_size: Images per step, of all ranks together.
        ranks: Number of ranks.
        steps: Steps of a turn. A pipeline is empty at its start and drained at its end.
        options: What :func:`model_options` returned for the local config.
        strategies: Figures of each.
    """
    config: str
    batch_size: int
    ranks: int
    steps: int
    strategies: tuple[Timed, ...]
    options: Mapping[str, Any] = field(default_factory=dict)

    def speeds(self) -> dict[str, float]:
        """Return the speeds of :func:`speeds_of`."""
        return speeds_of(self.strategies)

    def to_dict(self) -> dict[str, Any]:
        """Return plain numbers, strings and lists."""
        return dict(config=self.config, batch_size=self.batch_size, ranks=self.ranks,
                    steps=self.steps, options=dict(self.options),
                    seconds={timed.name: list(timed.seconds) for timed in self.strategies})

    @classmethod
    def read(cls, path: Path) -> Measurement:
        """Read what :meth:`to_dict` returned from a JSON file.

        Raises:
            FileError: It is missing, or holds something else.
        """
        values = read_json(path)
        try:
            found = cls(
                strategies=tuple(Timed(name=name, seconds=tuple(seconds))
                                 for name, seconds in _mapping(values['seconds']).items()),
                **{key: values[key] for key in ('config', 'batch_size', 'ranks', 'steps')},
                options=_mapping(values['options']))
            rounds = {len(timed.seconds) for timed in found.strategies}
            names_of([timed.name for timed in found.strategies])
            fits = (isinstance(found.config, str) and len(rounds) == 1 and 0 not in rounds
                    and found.ranks != 1
                    and all(type(each) is int and each >= 1
                            for each in (found.batch_size, found.ranks, found.steps))
                    and all(type(each) is float and isfinite(each) and each > 0
                            for timed in found.strategies for each in timed.seconds))
        except (KeyError, TypeError, ValueError):
            fits = False
        if not fits:
            raise FileError(f'{path} holds no measurement; give measured.json of '
                            'benchmark_parallel.py --out')
        return found


def _mapping(value: Any) -> Mapping[str, Any]:
    if not isinstance(value, Mapping):
        raise TypeError(type(value).__name__)
    return value
