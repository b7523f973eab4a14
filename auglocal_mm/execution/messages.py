"""Messages between ranks: any value, its large tensors sent as they lie in memory."""
from __future__ import annotations

import io
import math
import pickle
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import torch
import torch.distributed as dist
from torch import Tensor

from .carry import Layout, flat

#: Smaller tensors, such as labels, travel together: many small messages would wait for each
#: other.
SMALL_BYTES = 16_384
#: Where tensors begin inside such a message, in bytes: any dtype can lie there.
_STEP = 16


@dataclass(frozen=True)
class _Kind:
    """What a receiver must know of a tensor before it arrives.

    Attributes:
        layout: How it lies in memory.
        on_device: Whether it goes to the receiver's device.
    """
    layout: Layout
    on_device: bool

    @property
    def size(self) -> int:
        """Number of bytes."""
        return math.prod(self.layout.shape) * self.layout.dtype.itemsize

    @property
    def is_small(self) -> bool:
        """Whether it travels together with others."""
        return self.size < SMALL_BYTES


class _Packer(pickle.Pickler):
    """Pickles a value without its tensors."""

    def __init__(self, file: io.BytesIO) -> None:
        super().__init__(file, protocol=pickle.HIGHEST_PROTOCOL)
        self.tensors: list[Tensor] = []
        self.kinds: list[_Kind] = []
        #: By identity: features are often the latest output as well, and stay one tensor.
        self._places: dict[int, int] = {}
        #: One object for equal ones, which pickle then writes once.
        self._known: dict[_Kind, _Kind] = {}

    def persistent_id(self, value: Any) -> Any:
        """Replace a tensor by its place; pickle asks this of every value."""
        if not isinstance(value, Tensor):
            return None
        if value.requires_grad:
            raise ValueError('what is sent must be cut off first, got a tensor with a history of '
                             f'shape {tuple(value.shape)}; gradients do not travel')
        if type(value) is not Tensor:
            if _on_device(value):  # Pickle would return it to the sender's device.
                raise ValueError(f'a {type(value).__name__} on {value.device} cannot be sent; '
                                 'send a plain tensor')
            return None
        if id(value) not in self._places:
            self._places[id(value)] = len(self.tensors)
            kind = _Kind(Layout.of(value), _on_device(value))
            self.tensors.append(value)
            self.kinds.append(self._known.setdefault(kind, kind))
        return self._places[id(value)]


class _Unpacker(pickle.Unpickler):
    """Puts tensors in their places."""

    def __init__(self, file: io.BytesIO, tensors: Sequence[Tensor]) -> None:
        super().__init__(file)
        self._tensors = tensors

    def persistent_load(self, place: int) -> Tensor:
        """Return the tensor of a place."""
        return self._tensors[place]


def _on_device(tensor: Tensor) -> bool:
    return tensor.device.type != 'cpu'


def pack(value: Any) -> tuple[Tensor, list[Tensor]]:
    """Split a value into a header and what follows it.

    What a thread changes later does not change the message, except for large tensors. It waits
    for no device.

    Returns:
        The header, bytes [N] on the host. And the parts that follow it, bytes [N] each: small
        tensors of the host in one, those of the device in one, then each large tensor, as it
        lies. Bytes, because no backend knows every dtype.

    Raises:
        ValueError: A tensor has a history, or it is of a subclass and on a device.
    """
    content = io.BytesIO()
    packer = _Packer(content)
    packer.dump(value)
    header = pickle.dumps((packer.kinds, content.getvalue()), pickle.HIGHEST_PROTOCOL)
    pairs = list(zip(packer.kinds, packer.tensors, strict=True))
    small = [[flat(tensor) for kind, tensor in pairs
              if kind.is_small and kind.on_device == on_device] for on_device in (False, True)]
    large = [flat(tensor).view(torch.uint8) for kind, tensor in pairs if not kind.is_small]
    return (torch.frombuffer(bytearray(header), dtype=torch.uint8),
            [*(_joined(group) for group in small if group), *large])


def _joined(tensors: Sequence[Tensor]) -> Tensor:
    """Return the bytes of tensors [N] one after another, with gaps."""
    gap = torch.zeros(_STEP, dtype=torch.uint8, device=tensors[0].device)
    pieces = []
    for tensor in tensors:
        content = tensor.view(torch.uint8)
        pieces += [content, gap[:-content.numel() % _STEP]]
    return torch.cat(pieces)


def unpack(header: Tensor, device: torch.device | str = 'cpu',
           made: Callable[[Tensor], None] = lambda tensor: None) -> tuple[Any, list[Tensor]]:
    """Return the value of a header, and the parts, bytes [N] each, that must be filled in.

    Args:
        header: What :func:`pack` returned.
        device: Where tensors go that were on a device of the sender's.
        made: Is called with each tensor that was allocated there.
    """
    kinds, content = pickle.loads(header.numpy().tobytes())
    parts: list[Tensor] = []
    tensors: dict[int, Tensor] = {}
    for on_device in (False, True):
        small = {place: kind for place, kind in enumerate(kinds)
                 if kind.is_small and kind.on_device == on_device}
        if small:
            parts.append(torch.empty(sum(map(_room, small.values())), dtype=torch.uint8,
                                     device=device if on_device else 'cpu'))
            tensors |= _divided(parts[-1], small)
    for place, kind in enumerate(kinds):
        if not kind.is_small:
            tensors[place] = kind.layout.empty(device if kind.on_device else 'cpu')
            parts.append(flat(tensors[place]).view(torch.uint8))
    for part in parts:
        if _on_device(part):
            made(part)
    return _Unpacker(io.BytesIO(content), [tensors[place] for place in range(len(kinds))]
                     ).load(), parts


def _room(kind: _Kind) -> int:
    """Return the bytes that a small tensor takes, with the gap after it."""
    return -(-kind.size // _STEP) * _STEP


def _divided(content: Tensor, kinds: Mapping[int, _Kind]) -> dict[int, Tensor]:
    """Return the small tensors inside bytes [N]."""
    found, start = {}, 0
    for place, kind in kinds.items():
        values = content[start:start + kind.size].view(kind.layout.dtype)
        found[place] = values.as_strided(kind.layout.shape, kind.layout.strides)
        start += _room(kind)
    return found


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
        ValueError: A tensor has a history, or is on a device.
    """
    header, parts = pack(value)
    if any(part.device.type != 'cpu' for part in parts):
        raise ValueError('a tensor on a device cannot be sent between hosts; copy it first')
    parts = [torch.tensor([header.numel()]), header, *parts]
    return _Posted([dist.isend(part, dst=to, group=group) for part in parts], parts)


def receive_header(sender: int, *, group: Any = None) -> Tensor:
    """Receive the first part of a value: bytes [N] on the host."""
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
    value, parts = unpack(receive_header(sender, group=group))
    for part in parts:
        dist.recv(part, src=sender, group=group)
    return value
