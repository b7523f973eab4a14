"""What the processes of each rank use: their processor time, and their state, from ``/proc``."""
from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

_TICKS = os.sysconf('SC_CLK_TCK') if hasattr(os, 'sysconf') else 100
#: It wants a processor, it waits for a disk or a network's file system, or a debugger holds it.
_BUSY = 'RDt'
_STOPPED = 'T'


@dataclass(frozen=True)
class Use:
    """What all processes of a session use; torch's launcher gives each rank a session.

    Attributes:
        seconds: Processor time so far.
        busy: Whether any of them computes, or waits for what is not to be judged.
        stopped: Whether a signal has stopped the first one.
    """

    seconds: float
    busy: bool
    stopped: bool


def uses(leaders: set[int]) -> dict[int, Use]:
    """Return the use of sessions by their leaders; those that have ended are left out.

    Args:
        leaders: The first process of each session.
    """
    found: dict[int, list[tuple[int, list[str]]]] = {leader: [] for leader in leaders}
    for process, values in _processes():
        if int(values[3]) in found:
            found[int(values[3])].append((process, values))
    return {leader: _sum(leader, members) for leader, members in found.items()
            if any(process == leader and values[0] != 'Z' for process, values in members)}


def members(leader: int) -> list[int]:
    """Return the processes of a session that have not ended; its leader may have.

    As long as there are any, the system gives the session's number to nobody else.
    """
    return [process for process, values in _processes()
            if int(values[3]) == leader and values[0] != 'Z']


def _processes() -> list[tuple[int, list[str]]]:
    """Return each process with its values in ``/proc/*/stat`` after its name."""
    found = []
    for entry in os.listdir('/proc') if os.path.isdir('/proc') else ():
        if entry.isdigit():
            try:
                text = Path('/proc', entry, 'stat').read_text(encoding='utf-8', errors='replace')
            except OSError:  # It has just ended.
                continue
            # A name may have spaces and brackets.
            found.append((int(entry), text.rpartition(')')[2].split()))
    return found


def _sum(leader: int, members: list[tuple[int, list[str]]]) -> Use:
    # User and system time, of the process and of its children that have ended.
    ticks = sum(int(value) for _, values in members for value in values[11:15])
    return Use(ticks / _TICKS, any(values[0] in _BUSY for _, values in members),
               any(process == leader and values[0] == _STOPPED for process, values in members))
