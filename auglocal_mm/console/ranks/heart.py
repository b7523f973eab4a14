"""The heart of a rank: it tells the launcher that the rank lives, and where it stands."""
from __future__ import annotations

import faulthandler
import json
import os
import signal
import sys
import threading
from contextlib import suppress
from dataclasses import asdict, dataclass, fields, replace
from pathlib import Path

from .place import place_of
from .report import FOLDER, is_watched

#: How many seconds a rank may stand still by default. Whatever was found, everything is to have
#: ended within a minute.
LIMIT_SECONDS = 40.0
#: How often a heart beats, in seconds.
PERIOD_SECONDS = 1.0
#: After its work a rank still has to end, and may wait for uploads meanwhile.
ENDING_SECONDS = 600.0
#: Beats have one size and lie in one place, so that a full disk stops none.
_BYTES = 4096


@dataclass(frozen=True)
class Beat:
    """What a rank tells again and again.

    Attributes:
        number: Counts beats.
        process: Its process.
        here: How many ranks there are on this machine.
        alone: Whether there are none on others.
        limit: How many seconds it may stand still; 0 for any number.
        actions: How many actions it has finished, such as training steps.
        mark, where, waits: See :class:`~auglocal_mm.console.ranks.place.Place`, of the main thread.
        log: The file of its log, if it has one.
        ending: Whether its work is done.
    """

    number: int
    process: int
    here: int
    alone: bool
    limit: float
    actions: int
    mark: str
    where: str
    waits: str
    log: str
    ending: bool

    @classmethod
    def read(cls, path: Path) -> Beat | None:
        """Read the latest beat; ``None`` if there is none, or it is just being written."""
        try:
            content = json.loads(path.read_bytes())
            return cls(**{field.name: content[field.name] for field in fields(cls)})
        except (OSError, ValueError, TypeError, KeyError):
            return None


class Heart:
    """Beats in a thread of its own, which goes on while the main thread waits or computes.

    Attributes:
        limit: See :class:`Beat`.
        log: See :class:`Beat`.
    """

    def __init__(self) -> None:
        self.limit = LIMIT_SECONDS
        self.log = ''
        self._actions = 0
        self._file = -1
        self._number = 0
        self._ending = threading.Event()
        self._main = threading.main_thread().ident or 0

    def acted(self) -> None:
        """Count an action that is finished."""
        self._actions += 1

    def start(self) -> None:
        """Begin to beat, if this process is a rank of our launcher on a system with ``/proc``."""
        if not is_watched() or sys.platform != 'linux' or self._file >= 0:
            return
        rank = Path(os.environ[FOLDER]) / os.environ['RANK']
        with suppress(OSError):  # The launcher has gone, and so will this process.
            stack = os.open(stack_file(rank.parent, rank.name), os.O_WRONLY | os.O_CREAT, 0o600)
            # It answers where Python cannot: in compiled code that holds Python's lock.
            faulthandler.register(ask_signal(), stack, all_threads=True)
            self._file = os.open(beat_file(rank.parent, rank.name), os.O_WRONLY | os.O_CREAT, 0o600)
            self._beat()  # At once: this process may freeze before its thread runs.
            threading.Thread(target=self._run, name='heart', daemon=True).start()

    def end(self) -> None:
        """Tell that the work is done, and stop beating: later, threads are not reliable."""
        if self._file >= 0 and not self._ending.is_set():
            self._ending.set()
            with suppress(OSError):
                self._beat()

    def _run(self) -> None:
        with suppress(OSError):  # Some file systems have no room even for what replaces the like.
            # A short limit, as in tests, needs quick beats.
            while not self._ending.wait(min(PERIOD_SECONDS, self.limit / 20) or PERIOD_SECONDS):
                self._beat()

    def _beat(self) -> None:
        self._number += 1
        place = place_of(self._main)
        here = int(os.environ.get('LOCAL_WORLD_SIZE', 1))
        ending = self._ending.is_set()
        beat = Beat(
            number=self._number, process=os.getpid(), here=here, actions=self._actions,
            alone=here == int(os.environ.get('WORLD_SIZE', here)), ending=ending,
            limit=max(self.limit, ENDING_SECONDS) if ending and self.limit else self.limit,
            mark=place.mark, where=place.where[:300], waits=place.waits, log=self.log)
        content = json.dumps(asdict(beat)).encode()
        if len(content) > _BYTES:
            content = json.dumps(asdict(replace(beat, log=''))).encode()
        os.pwrite(self._file, content.ljust(_BYTES), 0)


#: This process's own.
heart = Heart()


def beat_file(folder: Path, rank: str) -> Path:
    """Return the file of a rank's beats."""
    return folder / f'{rank}.beat'


def stack_file(folder: Path, rank: str) -> Path:
    """Return the file for the stacks of a rank's threads."""
    return folder / f'{rank}.stack'


def ask_signal() -> int:
    """Return the number of the signal that asks a rank for its stacks: one that nobody uses."""
    return signal.SIGRTMIN + 7
