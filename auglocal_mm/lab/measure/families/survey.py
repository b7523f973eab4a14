"""All families, each in a process of its own."""
from __future__ import annotations

import logging
import multiprocessing
import os
import time
import warnings
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import asdict
from multiprocessing.connection import Connection
from typing import Any

from auglocal_mm.lab.measure.system import hardware, versions
from auglocal_mm.operators import in_use

from .family import Family

#: Imported once, in the process that the trials' processes are forked from. Ours is first:
#: it provides mmcv._ext.
_PRELOAD = ['auglocal_mm', 'auglocal_mm.lab.measure.families.trial', 'mmdet.models']


def survey(families: Sequence[Family], *, jobs: int = 1, limit: float = 300.0,
           training: str = 'plain', known: Mapping[str, Any] | None = None
           ) -> Iterator[tuple[dict[str, Any], dict[str, Any]]]:
    """Try families.

    Args:
        families: What to try.
        jobs: Processes at a time, each of one thread.
        limit: Seconds after which a trial is ended.
        training: Key of :data:`~.training.TRAININGS`.
        known: An earlier result, whose families are not tried again.

    Yields:
        For each family in the order given, its :class:`~.trial.Facts` as plain data, and
        the result so far: ``training``, ``operators`` in use, ``versions``, ``hardware``, and
        ``families``, those of `known` included.

    Raises:
        ValueError: `jobs` or `limit` is not positive, or `known` is of another training, other
            operators or versions.
    """
    if jobs < 1 or limit <= 0:
        raise ValueError(f'--jobs and --limit must be positive, got {jobs} and {limit:g}')
    about = {'training': training, 'operators': in_use(), 'versions': versions(),
             'hardware': hardware()}
    rows = {row['name']: row for row in _rows(known, about)}
    os.environ['OMP_NUM_THREADS'] = '1'  # the trials' processes inherit it
    context = multiprocessing.get_context('forkserver')
    context.set_forkserver_preload(_PRELOAD)

    def attempt(family: Family) -> dict[str, Any]:
        if family.name in rows:
            return rows[family.name]
        return {**family.to_dict(), **_in_child(context, family, training, limit)}

    done: dict[str, dict[str, Any]] = {}
    with ThreadPoolExecutor(jobs) as pool:
        for row in pool.map(attempt, families):
            done[row['name']] = row
            # Twice: first for the order, and last because new rows replace known ones.
            yield row, {**about, 'families': list({**done, **rows, **done}.values())}


def _rows(known: Mapping[str, Any] | None, about: Mapping[str, Any]) -> list[dict[str, Any]]:
    if known is None:
        return []
    for key, default in (('training', 'plain'), ('operators', None), ('versions', None)):
        earlier = known.get(key, default)  # results of older versions name no training
        if earlier != about[key]:
            raise ValueError(f'the earlier result has {key} {earlier}, and here they are '
                             f'{about[key]}; start again with another file')
    return known['families']


def _in_child(context: Any, family: Family, training: str, limit: float
              ) -> dict[str, Any]:
    """Return the facts that a child process sent last; the stage that it died in has that cause."""
    receiving, sending = context.Pipe(duplex=False)
    child = context.Process(target=_child, args=(family, training, sending), daemon=True)
    child.start()
    # Or a child that dies would not end the pipe.
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


def _child(family: Family, training: str, sending: Connection) -> None:
    os.dup2(2, 1)  # the parent's standard output is for the result
    logging.disable(logging.WARNING)  # a line for each weight's start
    warnings.simplefilter('ignore')
    from .trial import run_trial
    with suppress(BrokenPipeError):  # the parent was ended
        run_trial(family, lambda facts: sending.send(asdict(facts)), training=training)
