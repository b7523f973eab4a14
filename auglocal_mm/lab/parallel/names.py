"""Names of the ways of training that are timed; they load nothing."""
from __future__ import annotations

from collections.abc import Sequence

NAMES = ('local, one rank', 'local pipeline', 'local data parallel', 'local, no averages',
         'BP, one rank', 'BP data parallel', 'BP, no averages', 'BP GPipe', 'BP 1F1B')
#: Parts of a batch that pass a pipeline of BP one after another.
MICRO_BATCHES = 8
#: The one that is traced.
PIPELINE = 'local pipeline'
#: Those that use one rank alone.
ALONE = ('local, one rank', 'BP, one rank')


def names_of(names: Sequence[str] | None) -> tuple[str, ...]:
    """Return the chosen names, all by default.

    Raises:
        ValueError: One is unknown.
    """
    unknown = [name for name in names or () if name not in NAMES]
    if unknown:
        raise ValueError(f'strategies are {"; ".join(NAMES)}, got {unknown[0]!r}')
    return tuple(names) if names else NAMES


def kind_of(name: str) -> str:
    """Return what a strategy is compared with: the same kind of learning on one rank."""
    return next(alone for alone in ALONE if alone.split(',')[0] == name.split()[0].rstrip(','))
