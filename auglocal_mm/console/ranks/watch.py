"""Watches the ranks of one machine, and ends all of them when one hangs."""
from __future__ import annotations

import os
import re
import signal
import sys
import threading
import time
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

from auglocal_mm.console.told import one_line

from .heart import Beat, ask_signal, stack_file
from .report import Report
from .sessions import members, uses
from .stillness import Hang, Stillness

#: From look to look, and before there is a rank.
LOOK_SECONDS, FIRST_SECONDS = 2.0, 0.5
#: How long a rank may take to write its stacks, and the others to end once one was ended.
STACK_SECONDS, OTHERS_SECONDS = 1.0, 10.0


class Watch(threading.Thread):
    """Looks at all ranks from time to time, until one hangs.

    It counts looks, not seconds: while the whole run is stopped, so is the launcher, and nobody
    is late.

    Args:
        folder: Where ranks leave their beats.

    Attributes:
        found: What was found, as a report.
    """

    def __init__(self, folder: Path) -> None:
        super().__init__(name='watch', daemon=True)
        self.found: list[Report] = []
        self._folder = folder
        self._stillness = Stillness()
        self._leaders: set[int] = set()
        self._over = threading.Event()

    def run(self) -> None:
        """Look until a rank hangs or the run is over."""
        if sys.platform != 'linux':
            return
        pause, hang = FIRST_SECONDS, None
        while hang is None and not self._over.wait(pause):
            beats = read_beats(self._folder)
            processes = {beat.process for beat in beats.values() if beat is not None}
            self._leaders |= processes
            hang = self._stillness.look(beats, uses(processes), pause)
            # Short limits, as in tests, need quick looks.
            pause = min(LOOK_SECONDS, self._stillness.limit / 10) or FIRST_SECONDS
        if hang is not None:
            self._end_all(hang)

    def end(self) -> None:
        """Stop watching, and end every process that a rank has left behind."""
        self._over.set()
        self.join()
        self._leaders |= {beat.process for beat in read_beats(self._folder).values() if beat}
        for leader in self._leaders:
            self._kill(leader)

    def _end_all(self, hang: Hang) -> None:
        stacks = self._ask_stacks()
        if hang.frozen and hang.rank in stacks:  # The last beat may be older than what froze.
            hang = replace(hang, where=innermost(stacks[hang.rank]) or hang.where)
        kept = _keep(stacks, hang.beat.log)
        told = f'; the stacks are in {kept}' if kept else ''
        self.found.append(Report(hang.rank, time.time(), 1, one_line(f'{hang}{told}'), 'hang'))
        self._kill(hang.beat.process)
        # The others lose their connection to it, and may still have something to tell.
        if not self._over.wait(OTHERS_SECONDS):
            for leader in self._leaders:
                self._kill(leader)

    def _ask_stacks(self) -> dict[int, str]:
        """Ask all ranks what their threads do; one that a signal has stopped does not answer."""
        beats = {rank: beat for rank, beat in read_beats(self._folder).items() if beat}
        for beat in beats.values():
            with suppress(ProcessLookupError):
                os.kill(beat.process, ask_signal())
        time.sleep(STACK_SECONDS)
        return {rank: _readable(stack_file(self._folder, str(rank)).read_text(errors='replace'))
                for rank in sorted(beats)}

    def _kill(self, leader: int) -> None:
        for process in members(leader):
            with suppress(ProcessLookupError):
                os.kill(process, signal.SIGKILL)


def _readable(stacks: str) -> str:
    """Return the main thread's stack first, without threads that run no Python."""
    found = [each for each in stacks.strip().split('\n\n') if '<no Python frame>' not in each]
    return '\n\n'.join(sorted(found, key=lambda each: not each.startswith('Current')))


def innermost(stack: str) -> str:
    """Return the place of the main thread, which answers, from what ``faulthandler`` wrote."""
    found = re.search(r'^Current thread .*\n  File "(.*)", line (\d+) in (.*)$', stack, re.M)
    return f'{found[3]} ({os.path.basename(found[1])}:{found[2]})' if found else ''


def _keep(stacks: dict[int, str], log: str) -> str:
    """Add stacks to a log, or show them; return the log's name, if it has taken them."""
    text = '\n'.join(f'Rank {rank}:\n{stack or "no answer"}\n' for rank, stack in stacks.items())
    try:
        with Path(log).open('a', encoding='utf-8') as file:
            file.write(text)
        return os.path.relpath(log)
    except OSError:  # No log yet, or a full disk.
        print(text, file=sys.stderr, flush=True)
        return ''


def read_beats(folder: Path) -> dict[int, Beat | None]:
    """Return the latest beat of each rank that has begun."""
    return {int(path.stem): Beat.read(path) for path in folder.glob('*.beat')}
