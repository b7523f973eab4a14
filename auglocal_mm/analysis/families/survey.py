"""All families, each in a process of its own."""
from __future__ import annotations

import logging
import multiprocessing
import os
import time
import warnings
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict
from multiprocessing.connection import Connection
from typing import Any

from auglocal_mm.analysis.system import hardware, versions
from auglocal_mm.operators import in_use

from .family import Family

#: Imported once, in the process that the trials' processes are forked from. Ours is first:
#: it provides mmcv._ext.
_PRELOAD = ['auglocal_mm', 'auglocal_mm.analysis.families.trial', 'mmdet.models']


def survey(families: Sequence[Family], *, jobs: int = 1, limit: float = 300.0,
           say: Callable[[str], None] = lambda text: None) -> dict[str, Any]:
    """Try families.

    Args:
        families: What to try.
        jobs: Processes at a time, each of one thread.
        limit: Seconds after which a trial is ended.
        say: Called with a line for each family done.

    Returns:
        Plain data: ``operators`` in use, ``versions``, ``hardware``, and ``families`` in
        the order given, each with its :class:`~.trial.Facts`.

    Raises:
        ValueError: `jobs` or `limit` is not positive.
    """
    if jobs < 1 or limit <= 0:
        raise ValueError(f'--jobs and --limit must be positive, got {jobs} and {limit}')
    os.environ['OMP_NUM_THREADS'] = '1'  # the trials' processes inherit it
    context = multiprocessing.get_context('forkserver')
    context.set_forkserver_preload(_PRELOAD)

    def attempt(family: Family) -> dict[str, Any]:
        facts = _in_child(context, family, limit)
        failed = [f'{stage}: {cause}' for stage, cause in facts['causes'].items() if cause]
        say(f'{family.name}: {"; ".join(failed) or "passes"}')
        return {**family.to_dict(), **facts}

    with ThreadPoolExecutor(jobs) as pool:
        rows = list(pool.map(attempt, families))
    return {'operators': in_use(), 'versions': versions(), 'hardware': hardware(),
            'families': rows}


def _in_child(context: Any, family: Family, limit: float) -> dict[str, Any]:
    """The facts that a child process sent last; the stage that it died in has that cause."""
    receiving, sending = context.Pipe(duplex=False)
    child = context.Process(target=_child, args=(family, sending), daemon=True)
    child.start()
    sending.close()
    facts: dict[str, Any] = {'causes': {'build': 'the process did not start'}}
    deadline, ending = time.monotonic() + limit, ''
    while not ending:
        if not receiving.poll(max(0.0, deadline - time.monotonic())):
            ending = f'ended after {limit:g} s'
            child.kill()
        else:
            try:
                facts = receiving.recv()
            except EOFError:
                break
    child.join()
    if child.exitcode and not ending:
        ending = (f'the process ended with signal {-child.exitcode}' if child.exitcode < 0
                  else f'the process ended with status {child.exitcode}')
    if ending:
        facts['causes'][list(facts['causes'])[-1]] = ending
    return facts


def _child(family: Family, sending: Connection) -> None:
    os.dup2(2, 1)  # the parent's standard output is for the result
    logging.disable(logging.WARNING)  # a line for each weight's start
    warnings.simplefilter('ignore')
    from .trial import run_trial
    run_trial(family, lambda facts: sending.send(asdict(facts)))
