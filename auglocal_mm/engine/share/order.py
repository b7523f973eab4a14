"""Which parameter is which while a model is built, before any of them has a name."""
from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from torch import Tensor

from .memory import address_of, storage_of


class Order:
    """The order in which a model's large parameters come into being.

    Each is registered by a module, or copied from another one with a block of the backbone. Two
    constructions of one config agree in this order.

    Args:
        keeps: For each of them in its order whether it is kept; ``None`` for one that is gone
            when the model is built. Without it, none is kept: such a construction only shows
            the order.

    Attributes:
        kinds: How each came into being, its shape and its type.
        memories: The address of each one's memory.
        shows: Whether this construction only shows the order.
    """

    def __init__(self, keeps: Sequence[bool | None] | None = None) -> None:
        self.kinds: list[tuple[Any, ...]] = []
        self.memories: list[int] = []
        self.shows = keeps is None
        self._keeps = keeps or ()
        self._alive: dict[int, Any] = {}

    def next(self, kind: str, tensor: Tensor) -> bool | None:
        """Note that a parameter comes into being, and tell whether it is kept."""
        place = len(self.kinds)
        self.kinds.append((kind, tuple(tensor.shape), tensor.dtype))
        if self.shows:
            return False
        # More than were expected: what is built is compared with what was expected later.
        return self._keeps[place] if place < len(self._keeps) else None

    def record(self, tensor: Tensor) -> None:
        """Note where it lies."""
        # Kept alive, or another one could get its address.
        self._alive[address_of(tensor)] = storage_of(tensor)
        self.memories.append(address_of(tensor))

    def knows(self, tensor: Tensor) -> bool:
        """Tell whether a tensor is one of those that were recorded, or a view of it."""
        return address_of(tensor) in self._alive

    def end(self) -> None:
        """Let go of what was built: the model is complete."""
        self._alive.clear()
