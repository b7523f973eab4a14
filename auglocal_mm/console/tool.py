"""Runs every command-line tool with a clean console and faults in one line."""
from __future__ import annotations

import argparse
import os
import sys
import traceback
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

DEBUG = 'AUGLOCAL_TRACEBACK'
HOSTS = ('mmpretrain.datasets', 'mmpretrain.models')


@contextmanager
def tool(hosts: Sequence[str] = HOSTS) -> Iterator[None]:
    """Run a tool's main function.

    Every exception ends in one line on standard error, ``error: …``. The exit status
    is 2 for a fault of the user's input: an impossible setting, a missing or damaged
    file, a full disk, a missing package. It is 128 plus the number of the signal after
    SIGINT or SIGTERM, and 1 for anything else. ``--debug``, or the environment
    variable ``AUGLOCAL_TRACEBACK=1``, shows the traceback as well.

    Args:
        hosts: Modules of OpenMMLab to import first, without what they print.
    """
    from .ranks.heart import heart
    from .ranks.report import is_watched, leave, watch_launcher
    from .told.interruption import Interruption
    take_debug()
    watch_launcher()
    heart.start()
    with Interruption(patient=is_watched()) as interruption:
        try:
            if hosts:
                from .host_chatter import import_hosts
                import_hosts(*hosts)
            yield
            heart.end()
        # argparse, or the tool itself, has said why.
        except SystemExit:
            raise
        except BaseException as error:
            status = _tell(error, interruption.received, interruption.status)
            if is_watched():
                leave(status)
            sys.exit(status)


def take_debug() -> None:
    """Take ``--debug`` from the command line, wherever it is; children inherit it."""
    if '--debug' in sys.argv[1:]:
        sys.argv[1:] = [word for word in sys.argv[1:] if word != '--debug']
        os.environ[DEBUG] = '1'


def add_debug(parser: argparse.ArgumentParser) -> None:
    """Add ``--debug`` to a tool's help; :func:`tool` takes it before options are parsed."""
    parser.add_argument('--debug', action='store_true', help='show the traceback of an error')


def _tell(error: BaseException, received: int | None, status: int) -> int:
    from .ranks.report import is_watched, report
    from .told import Fault, describe, one_line
    from .told.runs import progress_of
    if os.environ.get(DEBUG):
        traceback.print_exception(error)
    if received is not None or isinstance(error, KeyboardInterrupt):
        fault = Fault(status, one_line(f'interrupted{progress_of(error)}'), 'interruption')
    else:
        fault = describe(error)
    report(fault)
    # The launcher of several ranks prints the first cause, once and last.
    interrupted = fault.kind == 'interruption'
    if not is_watched() and not (interrupted and os.environ.get('RANK', '0') != '0'):
        prefix = '' if interrupted else 'error: '
        print(f'{prefix}{fault.line}', file=sys.stderr, flush=True)
    return fault.status
