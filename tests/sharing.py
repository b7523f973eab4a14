"""How workers share the tests: which come first, and what is built once for all."""
from __future__ import annotations

import fcntl
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

TESTS = Path(__file__).resolve().parent
#: Files whose tests start processes and take up to a minute each, the longest first. Workers
#: begin with them, so that only short tests are left to share out at the end.
LONGEST = [TESTS / name for name in (
    'tools/test_main_job.py', 'test_existing_project.py', 'operators/test_stand_in.py',
    'tools/test_reproduce.py')]


def spread(items: Sequence[Any], workers: int) -> list[Any]:
    """Return the tests with some of the longest files at the start of each worker's part.

    pytest-xdist's `worksteal` first gives each worker an equal part of the list, in order.
    """
    short = [item for item in items if item.path not in LONGEST]
    ordered: list[Any] = []
    for worker in range(workers):
        long = [item for path in LONGEST[worker::workers] for item in items if item.path == path]
        count = max(0, (len(items) - len(ordered)) // (workers - worker) - len(long))
        ordered += [*long, *short[:count]]
        del short[:count]
    return [*ordered, *short]


def build_once(path: Path, build: Callable[[Path], object]) -> Path:
    """Return the folder `path`, which `build` fills unless another process has done so."""
    done = path.with_name(f'{path.name}.done')
    with path.with_name(f'{path.name}.lock').open('w') as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not done.exists():
            path.mkdir()  # Is it there, a build has failed: that is an error here as well.
            build(path)
            done.touch()
    return path
