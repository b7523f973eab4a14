"""The command line of ``prepare.py``."""
from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

from auglocal_mm.console.tool import add_debug

from .coco import check_coco
from .folder import check, prepare
from .imagenet import check_imagenet
from .report import Report
from .sources import SOURCES

#: Data that may not be redistributed, so a user's own copy is checked.
OWN_COPIES: dict[str, Callable[[Path], Report]] = {'imagenet': check_imagenet, 'coco': check_coco}


def main(arguments: Sequence[str] | None = None, *, description: str | None = None) -> int:
    """Prepare or check one data set and print its state.

    Returns:
        The exit status: 0 if the data set is complete, 1 if not, 130 if stopped by Ctrl-C.

    Raises:
        DataError: A download failed, or a folder cannot be read or written.
    """
    parser = argparse.ArgumentParser(
        description=description, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('name', choices=[*SOURCES, *OWN_COPIES], help='which data set')
    parser.add_argument('--root', type=Path, metavar='DIR',
                        help='its folder (default: data/<name>, where the configs look)')
    parser.add_argument('--check', action='store_true',
                        help='change nothing, only print the state; status 1 if incomplete')
    add_debug(parser)
    args = parser.parse_args(arguments)
    root = args.root or Path('data') / args.name
    if args.name in OWN_COPIES:
        report = OWN_COPIES[args.name](root)
    else:
        try:
            report = (check if args.check else prepare)(SOURCES[args.name], root)
        except KeyboardInterrupt:
            print('\nstopped; run this again to continue', file=sys.stderr)
            return 130
    print(report)
    return 0 if report.is_complete else 1
