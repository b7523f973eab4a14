"""A link between two ranks that compute on accelerators; copies overlap with the training."""
from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import Future
from functools import partial
from queue import Queue
from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor

from .carry import flat
from .messages import Sent, pack, receive_header, unpack


class DeviceLink:
    """Sends values to another rank's device, or receives them from there.

    Whoever sends never waits for the device: a thread does, with a stream of its own. Headers
    and small values pass through the host. Large tensors pass directly between the devices
    (NCCL), or through pinned memory of the host where two ranks share a device or no such
    backend is there.

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
        self._stream = self._backend.Stream()
        self._training = self._backend.current_stream()
        self._jobs: Queue[Callable[[], None]] | None = None

    def send(self, value: Any) -> Sent:
        """Start to send a value; its tensors must not be changed before it has left."""
        # The values are there once the device has done what it was told so far.
        ready = self._backend.current_stream().record_event()
        done: Future[None] = Future()
        if self._jobs is None:
            self._jobs = Queue()
            # A daemon, so that a rank that fails can end while a message is on its way.
            threading.Thread(target=self._work, name='link', daemon=True).start()
        self._jobs.put(partial(self._send, value, ready, done))
        return _Promised(done)

    def _work(self) -> None:
        assert self._jobs is not None
        self._backend.set_device(self._device)  # each thread has its own current device
        while True:
            self._jobs.get()()

    def _send(self, value: Any, ready: Any, done: Future[None]) -> None:
        try:
            with self._backend.stream(self._stream):
                self._stream.wait_event(ready)
                header, tensors = pack(value)
                self._put(torch.tensor([header.numel()]))
                self._put(header)
                for tensor in tensors:
                    self._put_large(flat(tensor))
                # Only now may the memory of what was sent be used again.
                self._stream.synchronize()
            done.set_result(None)
        except Exception as cause:  # told by the thread that trains
            done.set_exception(cause)

    def _put(self, values: Tensor) -> None:
        dist.send(values, dst=self._peer, group=self._control)

    def _put_large(self, values: Tensor) -> None:
        if values.device.type != self._device.type:
            self._put(values)
        elif self._direct is not None:
            dist.send(values, dst=self._peer, group=self._direct)
        else:
            staged = self._staging(values)
            staged.copy_(values, non_blocking=True)
            self._stream.synchronize()
            self._put(staged)

    def receive(self) -> Any:
        """Receive a value; its tensors are complete, and ready for the stream that trains.

        It is called in a thread of its own, always the same one.
        """
        self._backend.set_device(self._device)
        header = receive_header(self._peer, group=self._control)
        with self._backend.stream(self._stream):
            # Allocated for this stream, but freed by the one that trains: until that has passed,
            # the memory must not be used again.
            value, tensors = unpack(header, self._device,
                                    made=lambda tensor: tensor.record_stream(self._training))
            for tensor in tensors:
                self._get_large(tensor)
            self._stream.synchronize()
        return value

    def _get_large(self, tensor: Tensor) -> None:
        values = flat(tensor)
        if values.device.type != self._device.type:
            dist.recv(values, src=self._peer, group=self._control)
        elif self._direct is not None:
            dist.recv(values, src=self._peer, group=self._direct)
        else:
            staged = self._staging(values)
            dist.recv(staged, src=self._peer, group=self._control)
            values.copy_(staged, non_blocking=True)

    def _staging(self, values: Tensor) -> Tensor:
        return torch.empty(values.shape, dtype=values.dtype, pin_memory=self._device.type != 'cpu')


class _Promised:
    """A message that a thread sends."""

    def __init__(self, done: Future[None]) -> None:
        self._done = done

    def wait(self) -> None:
        """Wait until it has left; raise what stopped it."""
        self._done.result()
