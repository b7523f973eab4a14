"""Keeps messages of the host framework that no user can act on off the console."""
from __future__ import annotations

import io
import logging
import re
import sys
import warnings
from contextlib import redirect_stdout
from importlib import import_module

#: What the hosts say of their own code or of packages nobody asked for.
CHATTER = tuple(re.compile(pattern) for pattern in (
    r'Could not import OneDL',
    r'"FileClient" will be deprecated',
    r'"HardDiskBackend" is the alias of "LocalBackend"',
))

#: The same through ``warnings``: message and module, as regular expressions.
WARNINGS = (
    (r'faster_coco_eval is not installed', r'mmdet'),
)


def is_chatter(message: str) -> bool:
    """Whether a message is one of :data:`CHATTER`."""
    return any(pattern.search(message) for pattern in CHATTER)


def import_hosts(*names: str) -> None:
    """Import modules of the hosts, without what they print of their optional parts."""
    for message, module in WARNINGS:
        warnings.filterwarnings('ignore', message=message, module=module)
    said = io.StringIO()
    try:
        with redirect_stdout(said):
            for name in names:
                import_module(name)
    finally:
        for line in said.getvalue().splitlines():
            if not is_chatter(line):
                print(line, file=sys.stdout)


def drop_host_chatter(logger: logging.Logger) -> None:
    """Drop :data:`CHATTER` from a logger."""
    logger.addFilter(lambda record: not is_chatter(record.getMessage()))
