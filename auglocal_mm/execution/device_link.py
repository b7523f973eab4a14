"""A link between two ranks that compute on accelerators; copies overlap with the training."""
from __future__ import annotations

import threading
from concurrent.futures import Future
from dataclasses import dataclass, field
from queue import Queue
from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor

from .messages import Sent, pack, receive_header, unpack


class DeviceLink:
    """Sends values to another rank's device, or receives them from there.

    Whoever sends never waits for the device: a thread does, with a stream of its own. Headers
    and what lies on the host pass through the host. Tensors of the device pass directly (NCCL),
    or through pinned memory of the host where two ranks share a device or no such backend is
    there.

    It belongs to the thread that trains, and to the stream that is current when it is made.

    Args:
        peer: The other rank.
        control: A process group of gloo with both ranks, in which nobody else sends.
        device: This rank's device.
        direct: A process group with both ranks whose backend sends memory of devices; ``None``
            to pass through the host.
    """

    def __init__(self, peer: int, *, control: Any, device: torch.device,
                 direct: Any = None) -> None:
        self._peer = peer
        self._control = control
        self._direct = direct
        self._device = device
        self._backend = torch.get_device_module(device)
        self._stream = self._backend.Stream(device)
        self._training = self._backend.current_stream(device)
        self._letters: Queue[_Letter] | None = None

    def send(self, value: Any) -> Sent:
        """Start to send a value; its large tensors must not be changed before it has left.

        ``None`` is the last one of a training.

        Raises:
            ValueError: See :func:`~auglocal_mm.execution.messages.pack`.
        """
        header, parts = pack(value)
        # The values are there once the device has done what it was told so far.
        ready = self._backend.current_stream(self._device).record_event()
        letter = _Letter(header, parts, ready, is_last=value is None)
        if self._letters is None:
            self._letters = Queue()
            # A daemon, so that a rank that fails can end while a message is on its way.
            threading.Thread(target=self._work, args=(self._letters,), name='link',
                             daemon=True).start()
        self._letters.put(letter)
        if letter.is_last:
            self._letters = None
        return letter

    def _work(self, letters: Queue[_Letter]) -> None:
        failure: Exception | None = None
        while True:
            letter = letters.get()
            try:
                if failure is not None:  # The peer would take this letter for parts of that one.
                    raise failure
                self._backend.set_device(self._device)  # each thread has its own current device
                self._deliver(letter)
                letter.done.set_result(None)
            except Exception as cause:  # told by the thread that trains
                failure = cause
                letter.done.set_exception(cause)
            if letter.is_last:
                return
            del letter  # or its tensors would live until the next one comes

    def _deliver(self, letter: _Letter) -> None:
        with self._backend.stream(self._stream):
            self._stream.wait_event(letter.ready)
            self._put(torch.tensor([letter.header.numel()]))
            self._put(letter.header)
            for part in letter.parts:
                self._put_part(part)
            # Only now may the memory of what was sent be used again.
            self._stream.synchronize()
            letter.parts.clear()

    def _put(self, values: Tensor) -> None:
        dist.send(values, dst=self._peer, group=self._control)

    def _put_part(self, values: Tensor) -> None:
        if values.device.type != self._device.type:
            self._put(values)
        elif self._direct is not None:
            dist.send(values, dst=self._peer, group=self._direct)
        else:
            staged = self._staging(values)
            staged.copy_(values, non_blocking=True)
            self._stream.synchronize()  # gloo reads the memory at once
            self._put(staged)

    def receive(self) -> Any:
        """Receive a value; its tensors are complete, and ready for the stream that trains.

        It is called in a thread of its own.
        """
        self._backend.set_device(self._device)
        header = receive_header(self._peer, group=self._control)
        with self._backend.stream(self._stream):
            # Allocated for this stream, but freed by the one that trains: until that has passed,
            # the memory must not be used again.
            value, parts = unpack(header, self._device,
                                  made=lambda tensor: tensor.record_stream(self._training))
            for part in parts:
                self._get_part(part)
            self._stream.synchronize()
        return value

    def _get_part(self, values: Tensor) -> None:
        if values.device.type != self._device.type:
            dist.recv(values, src=self._peer, group=self._control)
        elif self._direct is not None:
            dist.recv(values, src=self._peer, group=self._direct)
        else:
            staged = self._staging(values)
            dist.recv(staged, src=self._peer, group=self._control)
            values.copy_(staged, non_blocking=True)

    def _staging(self, values: Tensor) -> Tensor:
        return torch.empty(values.shape, dtype=values.dtype,
                           pin_memory=self._device.type != 'cpu')


@dataclass(frozen=True)
class _Letter:
    """A message that a thread delivers."""
    header: Tensor
    parts: list[Tensor]
    ready: Any
    is_last: bool
    done: Future[None] = field(default_factory=Future)

    def wait(self) -> None:
        """Wait until it has left; raise what stopped it."""
        self.done.result()
