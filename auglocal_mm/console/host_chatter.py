"""Keeps messages of OpenMMLab that no user can act on off the console."""
from __future__ import annotations

import io
import logging
import re
import sys
import warnings
from contextlib import redirect_stdout
from importlib import import_module

#: Messages about OpenMMLab's own code, or about packages that nobody asked for.
CHATTER = tuple(re.compile(pattern) for pattern in (
    r'Could not import OneDL',
    r'"FileClient" will be deprecated',
    r'"HardDiskBackend" is the alias of "LocalBackend"',
    # Ours keeps the gradients, and says so itself where it cannot.
    r'Resumed iteration number is not divisible by `_accumulative_counts`',
))

#: The same through ``warnings``: message and module, as regular expressions.
WARNINGS = (
    (r'faster_coco_eval is not installed', r'mmdet'),
)


def is_chatter(message: str) -> bool:
    """Tell whether a message is one of :data:`CHATTER`."""
    return any(pattern.search(message) for pattern in CHATTER)


def import_hosts(*names: str) -> None:
    """Import modules of OpenMMLab without what they print about their optional parts."""
    for message, module in WARNINGS:
        warnings.filterwarnings('ignore', message=message, module=module)
    said = io.StringIO()
    try:
        with redirect_stdout(said):
            for name in names:
                import_module(name)
    finally:
        # Also after a failed import, of which it may tell more than the error.
        for line in said.getvalue().splitlines():
            if not is_chatter(line):
                print(line, file=sys.stdout)


def drop_host_chatter(logger: logging.Logger) -> None:
    """Drop :data:`CHATTER` from a logger."""
    logger.addFilter(lambda record: not is_chatter(record.getMessage()))
