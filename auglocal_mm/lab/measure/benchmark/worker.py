"""A worker: one config in a process of its own, which acts only on request.

This file loads neither torch nor mmpretrain, so that the child can silence them first.
"""
from __future__ import annotations

import logging
import multiprocessing
import os
import signal
import traceback
import warnings
from collections.abc import Callable
from multiprocessing.connection import Connection
from typing import Any, Protocol

from .entry import Entry
from .settings import Settings

#: Seconds that a child gets to exit after its pipe was closed.
_GRACE_SECONDS = 5


class Subject(Protocol):
    """What a worker's process measures."""

    def step(self) -> float:
        """Run one step and return its seconds."""
        ...

    def begin(self) -> None:
        """Discard the peak memory and the steps so far, because the timed steps begin."""

    def measure(self) -> dict[str, Any]:
        """Return everything else that is measured."""
        ...


class WorkerFailed(RuntimeError):
    """A worker's process ended, or could not do what was requested."""


def training_subject(entry: Entry, settings: Settings) -> Subject:
    """Build a :class:`~.subject.TrainingSubject` in the process that will run it."""
    silence()
    from .subject import TrainingSubject

    return TrainingSubject(entry, settings)


def silence() -> None:
    """Import OpenMMLab without its messages, and disable those of later steps."""
    from auglocal_mm.console.host_chatter import import_hosts

    logging.disable(logging.INFO)
    warnings.filterwarnings('ignore', message='torch.utils.checkpoint: the use_reentrant')
    import_hosts('mmpretrain.datasets', 'mmpretrain.models')


class Worker:
    """A subject in a child process, which starts to build it at once.

    Args:
        name: Its name.
        make: Builds the subject in the child; can be pickled.
    """

    def __init__(self, name: str, make: Callable[[], Subject]) -> None:
        self.name = name
        # A fork would begin with this process's memory, and could not use CUDA.
        context = multiprocessing.get_context('spawn')
        self._connection, theirs = context.Pipe()
        self._process = context.Process(target=_serve, args=(theirs, make), daemon=True)
        self._process.start()
        # The pipe ends with the child only if nobody else holds the child's end.
        theirs.close()

    def wait_until_ready(self) -> None:
        """Wait until the subject is built.

        Raises:
            WorkerFailed: It could not be built.
        """
        self._answer()

    def step(self) -> float:
        """Run one step and nothing else, and return its seconds.

        Raises:
            WorkerFailed: The step failed.
        """
        return self._ask('step')

    def begin(self) -> None:
        """See :meth:`Subject.begin`."""
        self._ask('begin')

    def measure(self) -> dict[str, Any]:
        """See :meth:`Subject.measure`."""
        return self._ask('measure')

    def _ask(self, what: str) -> Any:
        try:
            self._connection.send(what)
        except OSError:
            raise WorkerFailed(self._ending()) from None
        return self._answer()

    def _answer(self) -> Any:
        try:
            fault, value = self._connection.recv()
        except (EOFError, OSError):
            raise WorkerFailed(self._ending()) from None
        if fault is not None:
            raise WorkerFailed(fault)
        return value

    def _ending(self) -> str:
        self._process.join(_GRACE_SECONDS)
        code = self._process.exitcode
        if code is not None and code < 0:
            memory = (', which usually means out of memory; try a smaller --batch-size, or --apart'
                      if -code == signal.SIGKILL else '')
            return f'its process was ended by {signal.Signals(-code).name}{memory}'
        return f'its process ended with exit status {code}'

    def dismiss(self) -> None:
        """Tell the process that no more requests will come; return at once."""
        self._connection.close()

    def stop(self) -> None:
        """End the process, if it has not ended yet."""
        self.dismiss()
        self._process.join(_GRACE_SECONDS)
        if self._process.is_alive():
            self._process.kill()
            self._process.join()


def _serve(connection: Connection, make: Callable[[], Subject]) -> None:
    """Build the subject, then answer requests until the parent is gone."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent ends us
    os.dup2(2, 1)  # standard output belongs to the parent's result
    try:
        subject = make()
        connection.send((None, None))
        while True:
            connection.send((None, getattr(subject, connection.recv())()))
    except (EOFError, BrokenPipeError, ConnectionResetError):
        return
    except Exception as error:
        if os.environ.get('AUGLOCAL_TRACEBACK'):
            traceback.print_exc()
        connection.send((describe(error), None))


def describe(error: BaseException) -> str:
    """Describe an error in one line, with a remedy if one is known."""
    kind = type(error).__name__
    line = str(error).strip().partition('\n')[0] or kind
    if kind == 'OutOfMemoryError' or isinstance(error, MemoryError) or (
            "can't allocate memory" in str(error)):
        return f'out of memory; try a smaller --batch-size, or --apart ({line})'
    if isinstance(error, (ValueError, FileNotFoundError)):
        return ' '.join(str(error).split()) or kind  # ours: a list of faults becomes one line
    return f'{kind}: {line}'
