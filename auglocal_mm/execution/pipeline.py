"""What travels between the stages of a pipeline, and how much of it may wait."""
from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from queue import Queue
from typing import Any

from torch import Tensor

from .carry import Carry
from .messages import Sent


@dataclass(frozen=True, kw_only=True)
class Parcel:
    """All that a stage needs of a step from the stages before it.

    Attributes:
        carry: The features and outputs so far.
        inputs: The preprocessed images; empty ones where no later loss reads them.
        data_samples: Their samples, with the ground truth.
        losses: Losses of the modules before, by name; for the log.
        scores: Their scores by kind, then by name.
        norms: Norms of their gradients, if this step updates weights; for the log.
    """
    carry: Carry
    inputs: Any
    data_samples: Sequence[Any]
    losses: dict[str, Tensor] = field(default_factory=dict)
    scores: dict[str, dict[str, Tensor]] = field(default_factory=dict)
    norms: Sequence[Tensor] = ()


class Outbox:
    """Sends to the next stage, and holds back the sender once `limit` messages wait.

    Args:
        send: Starts to send a value.
        limit: How many may be on their way at once.
    """

    def __init__(self, send: Callable[[Any], Sent], limit: int) -> None:
        self._send = send
        self._limit = limit
        self._waiting: deque[Sent] = deque()

    @property
    def full(self) -> bool:
        """Whether as many are on their way as may be."""
        return len(self._waiting) >= self._limit

    def wait(self) -> None:
        """Wait until the oldest has left."""
        self._waiting.popleft().wait()

    def put(self, value: Any) -> None:
        """Start to send a value."""
        self._waiting.append(self._send(value))

    def flush(self) -> None:
        """Wait until all have left."""
        while self._waiting:
            self.wait()


class Inbox:
    """Receives from the stage before while this rank computes, one message ahead.

    Args:
        receive: Receives the next value.
    """

    def __init__(self, receive: Callable[[], Any]) -> None:
        self._receive = receive
        self._arrived: Queue[Any] = Queue()
        #: How many more messages may be received before one is taken.
        self._room = threading.Semaphore(1)
        self._thread: threading.Thread | None = None

    def take(self) -> Any:
        """Return the next value; ``None`` is the last one.

        Raises:
            RuntimeError: The stage before has gone.
        """
        if self._thread is None:
            self._thread = threading.Thread(target=self._listen, name='inbox', daemon=True)
            self._thread.start()
        value = self._arrived.get()
        self._room.release()
        if value is None:
            self._thread = None  # It has ended; another training needs another one.
        if isinstance(value, _Failure):
            raise RuntimeError('the stage before this one has gone') from value.cause
        return value

    def _listen(self) -> None:
        value: Any = self
        while value is not None:
            self._room.acquire()
            try:
                value = self._receive()
            except Exception as cause:  # told by the thread that trains
                self._arrived.put(_Failure(cause))
                return
            self._arrived.put(value)


@dataclass(frozen=True)
class _Failure:
    cause: Exception
