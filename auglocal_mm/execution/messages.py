"""Messages between ranks: any value, its large tensors sent as they lie in memory."""
from __future__ import annotations

import io
import pickle
from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor

from .carry import Layout, flat

#: Smaller tensors, such as labels, travel inside the header: many small messages would wait for
#: each other.
INLINE_BYTES = 16_384


class _Packer(pickle.Pickler):
    """Pickles a value without its large tensors."""

    def __init__(self, file: io.BytesIO) -> None:
        super().__init__(file, protocol=pickle.HIGHEST_PROTOCOL)
        self.tensors: list[Tensor] = []
        self._places: dict[int, int] = {}

    def persistent_id(self, value: Any) -> Any:
        """Replace a large tensor by its place; pickle asks this of every value."""
        if type(value) is not Tensor:
            return None
        if value.requires_grad:
            raise ValueError('what is sent must be cut off first, got a tensor with a history of '
                             f'shape {tuple(value.shape)}; gradients do not travel')
        if value.numel() * value.element_size() < INLINE_BYTES:
            return None
        # By identity: features are often the latest output as well, and stay one tensor.
        if id(value) not in self._places:
            self._places[id(value)] = len(self.tensors)
            self.tensors.append(value)
        return self._places[id(value)], Layout.of(value)


class _Unpacker(pickle.Unpickler):
    """Allocates the large tensors of a value; they arrive afterwards."""

    def __init__(self, file: io.BytesIO, device: torch.device | str) -> None:
        super().__init__(file)
        self.tensors: list[Tensor] = []
        self._device = device

    def persistent_load(self, place: tuple[int, Layout]) -> Tensor:
        """Return the tensor of a place."""
        index, layout = place
        if index == len(self.tensors):
            self.tensors.append(layout.empty(self._device))
        return self.tensors[index]


class Sent:
    """A message on its way; what it holds must not be changed before it has arrived."""

    def __init__(self, works: list[Any], held: list[Tensor]) -> None:
        self._works = works
        self._held = held

    def wait(self) -> None:
        """Wait until it has left."""
        for work in self._works:
            work.wait()
        self._held.clear()


def send(value: Any, to: int, *, group: Any = None,
         device: torch.device | str = 'cpu') -> Sent:
    """Start to send a value to another rank, which calls :func:`receive`.

    Args:
        value: Anything that can be pickled; tensors in it have no history.
        to: The other rank.
        group: The process group; ``None`` for the default one.
        device: Where the group's messages lie.

    Raises:
        ValueError: A tensor has a history.
    """
    file = io.BytesIO()
    packer = _Packer(file)
    packer.dump(value)
    header = torch.frombuffer(file.getbuffer(), dtype=torch.uint8).to(device)
    length = torch.tensor([header.numel()], device=device)
    parts = [length, header, *(flat(tensor) for tensor in packer.tensors)]
    return Sent([dist.isend(part, dst=to, group=group) for part in parts], parts)


def receive(sender: int, *, group: Any = None, device: torch.device | str = 'cpu') -> Any:
    """Receive what another rank sends: equal values, tensors in equal memory layouts.

    Args:
        sender: The rank that calls :func:`send`. Only ranks of one training are ever trusted so.
        group: The process group; ``None`` for the default one.
        device: Where tensors go, and where the group's messages lie.
    """
    length = torch.zeros(1, dtype=torch.int64, device=device)
    dist.recv(length, src=sender, group=group)
    header = torch.empty(int(length), dtype=torch.uint8, device=device)
    dist.recv(header, src=sender, group=group)
    unpacker = _Unpacker(io.BytesIO(header.cpu().numpy().tobytes()), device)
    value = unpacker.load()
    for tensor in unpacker.tensors:
        dist.recv(flat(tensor), src=sender, group=group)
    return value
