"""Ends a tool on Ctrl-C and on SIGTERM through an exception, so that everything is left whole."""
from __future__ import annotations

import os
import signal
import sys
import threading
from types import FrameType, TracebackType
from typing import Any

from .frames import module_of

#: When a signal is looked at again that came where Python ignores exceptions.
_AGAIN_SECONDS = 0.05
SIGNALS = (signal.SIGINT, signal.SIGTERM)


class Interruption:
    """Raises KeyboardInterrupt for the first signal of :data:`SIGNALS`; a second one ends at once.

    Only signals whose handling is still Python's own are taken, and only in the main thread.

    Args:
        patient: Ignore later signals: whoever sends them ends the process if it takes too long.

    Attributes:
        received: Number of the signal, or None.
    """

    def __init__(self, *, patient: bool = False) -> None:
        self.received: int | None = None
        self._patient = patient
        self._process = os.getpid()
        self._before: dict[int, object] = {}
        self._unraisable: Any = None

    def __enter__(self) -> Interruption:
        if threading.current_thread() is threading.main_thread():
            for number in SIGNALS:
                if signal.getsignal(number) in (signal.SIG_DFL, signal.default_int_handler):
                    self._before[number] = signal.signal(number, self._take)
        if self._before:
            self._unraisable, sys.unraisablehook = sys.unraisablehook, self._not_raised
        return self

    def __exit__(self, kind: type | None, error: BaseException | None,
                 trace: TracebackType | None) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)  # type: ignore[arg-type]
        if self._before:
            sys.unraisablehook = self._unraisable

    @property
    def status(self) -> int:
        """The exit status: 128 plus the number of the signal."""
        return 128 + (self.received or signal.SIGINT)

    def _take(self, number: int, frame: FrameType | None) -> None:
        if os.getpid() != self._process:  # A forked worker of a data loader: its parent tells.
            os._exit(128 + number)
        # A loader's workers end by the same signal. torch would raise that anywhere from here on.
        if callable(signal.getsignal(signal.SIGCHLD)):
            signal.signal(signal.SIGCHLD, lambda number, frame: None)
        if _is_ignored(frame):
            self._send_again(number)
        elif self.received is None:
            self.received = number
            raise KeyboardInterrupt
        elif not self._patient:
            os._exit(128 + number)

    def _not_raised(self, unraisable: Any) -> None:
        """Send a signal again whose exception Python has ignored, as it does in callbacks."""
        if self.received is None or unraisable.exc_type is not KeyboardInterrupt:
            self._unraisable(unraisable)
            return
        number, self.received = self.received, None
        self._send_again(number)

    @staticmethod
    def _send_again(number: int) -> None:
        again = threading.Timer(_AGAIN_SECONDS, os.kill, (os.getpid(), number))
        again.daemon = True
        again.start()


def _is_ignored(frame: FrameType | None) -> bool:
    """Tell whether Python would print an exception here and go on.

    It does so in destructors, at forks, and while it tells of another one that it has ignored.

    A destructor should run to its end. In callbacks Python ignores exceptions as well, but no
    frame tells; there, :meth:`Interruption._not_raised` hears of it afterwards.
    """
    # At a fork, Python calls logging's own functions for its locks.
    if frame is not None and module_of(frame) == 'logging':
        return True
    while frame is not None:
        if frame.f_code.co_name == '__del__' or frame.f_code is Interruption._not_raised.__code__:
            return True
        frame = frame.f_back
    return False
