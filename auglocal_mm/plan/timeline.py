"""What ranks did and when, simulated or measured, and how it is printed: rank × time."""
from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

#: What a cell shows of events that are not work of a step: a wait, or an average over ranks.
_MARKS = {'average': '~', 'receive': '.', 'wait': '.', 'load': '.', 'send': '.'}
_IDLE = '.'


@dataclass(frozen=True, kw_only=True)
class Event:
    """Something that a rank did, from `start` to `stop`.

    Attributes:
        rank: The rank.
        kind: What it did: a kind of an :class:`~auglocal_mm.plan.Action`, or ``forward``,
            ``backward`` or ``weights`` in a pipeline of back-propagation.
        step: Number of the training step.
        start: When it began, in seconds.
        stop: When it was over, in seconds.
        part: Index of the module, or of the micro-batch; ``None`` for all of them.
    """
    rank: int
    kind: str
    step: int
    start: float
    stop: float
    part: int | None = None

    @property
    def works(self) -> bool:
        """Whether the rank computed something; otherwise it waited."""
        return self.kind not in _MARKS


def timeline_text(events: Sequence[Event], *, columns: int = 80) -> str:
    """Draw events as text: a row for each rank, a column for each interval of time.

    A cell shows the last digit of the step on which the rank spends most of the interval, ``~``
    where it waits for an average, and ``.`` where it waits for something else. In a pipeline of
    back-propagation, ``F``, ``B`` and ``W`` are forward passes, and backward passes to inputs
    and to weights.

    Args:
        events: What happened, in any order.
        columns: Number of intervals.

    Raises:
        ValueError: There is nothing to draw.
    """
    end = max((event.stop for event in events), default=0.0)
    if end <= 0 or columns < 1:
        raise ValueError(f'a timeline needs at least 1 event, some time and 1 column, got '
                         f'{len(events)} events, {end} seconds and {columns} columns')
    ranks = sorted({event.rank for event in events})
    width = len(str(ranks[-1]))
    rows = [f'rank {rank:>{width}} |{_row(_of(events, rank), end / columns, columns)}|'
            for rank in ranks]
    return '\n'.join([*rows, f'{"":{width + 6}}{"0":<{columns - 8}}{end:>8.3g} s'])


def _of(events: Iterable[Event], rank: int) -> list[Event]:
    return [event for event in events if event.rank == rank]


def _row(events: Sequence[Event], interval: float, columns: int) -> str:
    """Give each interval the mark that has the largest share of it."""
    shares: list[dict[str, float]] = [{} for _ in range(columns)]
    for event in events:
        first, last = int(event.start / interval), int(event.stop / interval)
        for column in range(first, min(last, columns - 1) + 1):
            share = (min(event.stop, (column + 1) * interval)
                     - max(event.start, column * interval))
            mark = _mark(event)
            shares[column][mark] = shares[column].get(mark, 0.0) + max(0.0, share)
    return ''.join(_largest(cell, interval) for cell in shares)


def _largest(cell: dict[str, float], interval: float) -> str:
    rest = interval - sum(cell.values())
    cell = {**cell, _IDLE: cell.get(_IDLE, 0.0) + rest}
    return max(cell, key=lambda mark: cell[mark])


def _mark(event: Event) -> str:
    letters = {'forward': 'F', 'backward': 'B', 'weights': 'W'}
    return _MARKS.get(event.kind) or letters.get(event.kind) or str(event.step % 10)
