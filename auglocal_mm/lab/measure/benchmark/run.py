"""A whole benchmark: from entries to rows, and writing them."""
from __future__ import annotations

import errno
import json
import os
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

from auglocal_mm.files import write_text

from .counting import Counted, counted_json
from .entry import Entry, method_of
from .memory_table import memory_markdown
from .row import Row, rows_of
from .settings import Settings, require_device
from .table import markdown
from .turns import Outcome, Turns
from .worker import Worker, training_subject


def benchmark(entries: Sequence[Entry], settings: Settings,
              say: Callable[[str], None]) -> tuple[Row, ...]:
    """Measure every entry, each in a process of its own, in turns.

    In a process of its own, a config's peak memory is its own, and a config that runs
    out of memory does not affect the others.

    Args:
        entries: What to measure; names are unique.
        settings: How to measure.
        say: Called with a line about each event.

    Returns:
        One row per entry, in order; the row of an entry that failed says why.

    Raises:
        FileNotFoundError, ValueError: A config or a setting is impossible; nothing was
            started.
    """
    from .subject import config_of

    require_device(settings.device)
    methods = [entry.rival or method_of(config_of(entry, settings).model) for entry in entries]
    groups = [[entry] for entry in entries] if settings.apart else [list(entries)]
    outcomes: dict[str, Outcome] = {}
    for group in groups:
        say(f'building {", ".join(entry.name for entry in group)}')
        outcomes.update(_measure(group, settings, say))
    return rows_of(entries, methods, outcomes)


def _measure(entries: Sequence[Entry], settings: Settings,
             say: Callable[[str], None]) -> dict[str, Outcome]:
    workers: list[Worker] = []
    try:
        for entry in entries:
            workers.append(Worker(entry.name, partial(training_subject, entry, settings)))
        return Turns(workers, say).measure(warmup=settings.warmup, rounds=settings.rounds)
    finally:
        for worker in workers:
            # All first, so that they end at the same time.
            worker.dismiss()
        for worker in workers:
            worker.stop()


def make_folder(folder: Path) -> None:
    """Create the folder for results before anything is measured.

    Raises:
        ValueError: It cannot be created or written to.
    """
    problem: str | None = None
    try:
        folder.mkdir(parents=True, exist_ok=True)
        if not os.access(folder, os.W_OK):
            problem = os.strerror(errno.EACCES)
    except OSError as error:
        problem = error.strerror
    if problem:
        raise ValueError(f'--out must be a writable folder, got {folder} ({problem}); '
                         'choose another')


def to_json(rows: Sequence[Row]) -> str:
    """Return a list of rows as JSON; see :meth:`Row.to_dict`."""
    return json.dumps([row.to_dict() for row in rows], indent=2, allow_nan=False)


def write_benchmark(rows: Sequence[Row], folder: Path, *, command: str, on_cpu: bool) -> None:
    """Write ``table.md`` and ``table.json``, and two pictures as PNG and SVG.

    They are ``memory_time``, memory against time, and ``memory_parts``, where the bytes are.

    Args:
        rows: What was measured; if no row has figures, there is no picture.
        folder: Created by :func:`make_folder`.
        command: The command that was run.
        on_cpu: Whether steps ran on the CPU.
    """
    from .memory_picture import bars_of_rows, memory_parts
    from .picture import memory_time

    write_text(markdown(rows, command=command, on_cpu=on_cpu), folder / 'table.md')
    write_text(to_json(rows) + '\n', folder / 'table.json')
    if any(row.error is None for row in rows):
        memory_time(rows).save(folder)
        memory_parts(bars_of_rows(rows)).save(folder)


def write_counts(rows: Sequence[Counted], folder: Path, *, command: str) -> None:
    """Write ``memory.md`` and ``memory.json``, and a picture as PNG and SVG.

    It is ``memory_depth`` where there are depths, and ``memory_parts`` elsewhere.

    Args:
        rows: What was counted.
        folder: Created by :func:`make_folder`.
        command: The command that was run.
    """
    from .memory_picture import bars_of_counts, memory_depth, memory_parts

    write_text(memory_markdown(rows, command=command), folder / 'memory.md')
    write_text(counted_json(rows) + '\n', folder / 'memory.json')
    deep = any(row.depth is not None for row in rows)
    chart = memory_depth(rows) if deep else memory_parts(bars_of_counts(rows))
    chart.save(folder)
