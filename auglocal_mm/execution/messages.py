"""Messages between ranks: any value, its large tensors sent as they lie in memory."""
from __future__ import annotations

import io
import pickle
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import torch
import torch.distributed as dist
from torch import Tensor

from .carry import Layout, flat

#: Smaller tensors, such as labels, travel inside the header: many small messages would wait for
#: each other.
INLINE_BYTES = 16_384


@dataclass(frozen=True, kw_only=True)
class _Place:
    """Stands for a tensor in a header.

    Attributes:
        index: Its place among the large tensors; ``None`` for a small one.
        layout: How it lies in memory.
        on_device: Whether it goes to the receiver's device.
        values: A small one's values on the host.
    """
    index: int | None = None
    layout: Layout | None = None
    on_device: bool = False
    values: Tensor | None = None


class _Packer(pickle.Pickler):
    """Pickles a value without its large tensors."""

    def __init__(self, file: io.BytesIO) -> None:
        super().__init__(file, protocol=pickle.HIGHEST_PROTOCOL)
        self.tensors: list[Tensor] = []
        #: By identity: features are often the latest output as well, and stay one tensor.
        self._places: dict[int, _Place] = {}

    def persistent_id(self, value: Any) -> Any:
        """Replace a large tensor, or one of a device, by its place; pickle asks this of all."""
        if type(value) is not Tensor:
            return None
        if value.requires_grad:
            raise ValueError('what is sent must be cut off first, got a tensor with a history of '
                             f'shape {tuple(value.shape)}; gradients do not travel')
        on_device = value.device.type != 'cpu'
        small = value.numel() * value.element_size() < INLINE_BYTES
        if small and not on_device:
            return None
        if id(value) not in self._places:
            # As pickle would send it, a device's tensor would return to the sender's device.
            self._places[id(value)] = (
                _Place(values=value.cpu()) if small
                else _Place(index=len(self.tensors), layout=Layout.of(value),
                            on_device=on_device))
            if not small:
                self.tensors.append(value)
        return self._places[id(value)]


class _Unpacker(pickle.Unpickler):
    """Allocates the large tensors of a value; they arrive afterwards."""

    def __init__(self, file: io.BytesIO, device: torch.device | str,
                 made: Callable[[Tensor], None]) -> None:
        super().__init__(file)
        self.tensors: list[Tensor] = []
        self._device = device
        self._made = made
        self._small: dict[int, Tensor] = {}

    def persistent_load(self, place: _Place) -> Tensor:
        """Return the tensor of a place."""
        if place.values is not None:
            # Pickle has one object for each place, however often it is asked for.
            if id(place) not in self._small:
                self._small[id(place)] = place.values.to(self._device)
                self._made(self._small[id(place)])
            return self._small[id(place)]
        assert place.layout is not None and place.index is not None
        if place.index == len(self.tensors):
            self.tensors.append(place.layout.empty(self._device if place.on_device else 'cpu'))
            if place.on_device:
                self._made(self.tensors[-1])
        return self.tensors[place.index]


def pack(value: Any) -> tuple[Tensor, list[Tensor]]:
    """Split a value into a header, bytes [N] on the host, and its large tensors.

    Raises:
        ValueError: A tensor has a history.
    """
    file = io.BytesIO()
    packer = _Packer(file)
    packer.dump(value)
    return torch.frombuffer(file.getbuffer(), dtype=torch.uint8), packer.tensors


def unpack(header: Tensor, device: torch.device | str = 'cpu',
           made: Callable[[Tensor], None] = lambda tensor: None) -> tuple[Any, list[Tensor]]:
    """Return the value of a header, and its large tensors, whose elements are still to come.

    Args:
        header: What :func:`pack` returned.
        device: Where tensors go that were on a device of the sender's.
        made: Is called with each tensor that was allocated there.
    """
    unpacker = _Unpacker(io.BytesIO(header.numpy().tobytes()), device, made)
    return unpacker.load(), unpacker.tensors


class Sent(Protocol):
    """A message on its way; what it holds must not be changed before it has arrived."""

    def wait(self) -> None:
        """Wait until it has left."""


class _Posted:
    """A message whose parts a process group is sending."""

    def __init__(self, works: Sequence[Any], held: list[Tensor]) -> None:
        self._works = works
        self._held = held

    def wait(self) -> None:
        """Wait until it has left."""
        for work in self._works:
            work.wait()
        self._held.clear()


def send(value: Any, to: int, *, group: Any = None) -> Sent:
    """Start to send a value of the host to another rank, which calls :func:`receive`.

    Args:
        value: Anything that can be pickled; tensors in it are on the CPU and have no history.
        to: The other rank.
        group: A process group of gloo; ``None`` for the default one.

    Raises:
        ValueError: A tensor has a history.
    """
    header, tensors = pack(value)
    parts = [torch.tensor([header.numel()]), header, *(flat(tensor) for tensor in tensors)]
    return _Posted([dist.isend(part, dst=to, group=group) for part in parts], parts)


def receive_header(sender: int, *, group: Any = None) -> Tensor:
    """Receive what comes before the large tensors of a value: bytes [N] on the host."""
    length = torch.zeros(1, dtype=torch.int64)
    dist.recv(length, src=sender, group=group)
    header = torch.empty(int(length), dtype=torch.uint8)
    dist.recv(header, src=sender, group=group)
    return header


def receive(sender: int, *, group: Any = None) -> Any:
    """Receive what another rank sends: equal values, tensors in equal memory layouts.

    Args:
        sender: The rank that calls :func:`send`. Only ranks of one training are ever trusted so.
        group: A process group of gloo; ``None`` for the default one.
    """
    value, tensors = unpack(receive_header(sender, group=group))
    for tensor in tensors:
        dist.recv(flat(tensor), src=sender, group=group)
    return value
