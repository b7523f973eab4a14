"""What one module hands to the next, and all that does."""
from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor

from auglocal_mm.partition import Features, Tokens

from .boundary import boundary


@dataclass(frozen=True, kw_only=True)
class Carry:
    """The features between two units, and what the backbone's forward has returned so far.

    Attributes:
        features: The input of the next unit: images at the start, then feature maps
            [B, C, H, W] or tokens.
        outputs: The backbone's outputs of the units before it, in order.
        unit: Index of the next unit.
    """
    features: Features
    outputs: tuple[Any, ...] = ()
    unit: int = 0

    @property
    def requires_grad(self) -> bool:
        """Whether any part of it has a history that leads to something trainable."""
        found: list[bool] = []

        def look(tensor: Tensor) -> Tensor:
            found.append(tensor.requires_grad)
            return tensor

        self._mapped(look)
        return any(found)

    def detach(self) -> Carry:
        """Return the same values behind a boundary.

        The outputs are cut off as well. Otherwise one that waits for a detector's neck would
        keep its whole module's graph alive, and let gradients through.
        """
        return self._mapped(boundary)

    def pack(self) -> tuple[CarryRecord, tuple[Tensor, ...]]:
        """Split it into a record without tensors, and its tensors, each of them once.

        The features are often the latest output as well; they are one tensor here and after
        :meth:`unpack`.

        Raises:
            ValueError: It has a history: the module before it has no loss, and no boundary.
        """
        if self.requires_grad:
            raise ValueError(
                f'a carry must be cut off before it is packed, got one with a history at unit '
                f'{self.unit}; end the run after a module that has a loss')
        tensors: list[Tensor] = []
        layouts: list[Layout] = []

        def place(tensor: Tensor) -> Any:
            tensors.append(tensor)
            layouts.append(Layout.of(tensor))
            return _Place(len(tensors) - 1)

        skeleton = self._mapped(place)
        return CarryRecord(skeleton=skeleton, layouts=tuple(layouts)), tuple(tensors)

    @staticmethod
    def unpack(record: CarryRecord, tensors: Sequence[Tensor]) -> Carry:
        """Invert :meth:`pack`."""
        return record.skeleton._mapped(lambda place: tensors[place.index])

    def _mapped(self, change: Callable[[Any], Any]) -> Carry:
        # By identity, so that a tensor with two places is changed once and stays one.
        changed: dict[int, Any] = {}

        def once(leaf: Any) -> Any:
            if id(leaf) not in changed:
                changed[id(leaf)] = change(leaf)
            return changed[id(leaf)]

        return Carry(features=_map(self.features, once), outputs=_map(self.outputs, once),
                     unit=self.unit)


@dataclass(frozen=True)
class _Place:
    """Stands for a tensor in a record."""
    index: int


@dataclass(frozen=True, kw_only=True)
class Layout:
    """How a tensor lies in memory; a receiver allocates the same.

    Attributes:
        shape: Its sizes.
        strides: Its strides in elements. Convolutions choose their algorithm by them
            (channels last), so a copy in another order would differ in the last bits.
        dtype: Its data type.
    """
    shape: tuple[int, ...]
    strides: tuple[int, ...]
    dtype: torch.dtype

    @classmethod
    def of(cls, tensor: Tensor) -> Layout:
        """Describe a tensor; one with gaps in memory is described as its contiguous copy."""
        strides = tensor.stride() if _is_dense(tensor) else tensor.contiguous().stride()
        return cls(shape=tuple(tensor.shape), strides=strides, dtype=tensor.dtype)

    def empty(self, device: torch.device | str) -> Tensor:
        """Allocate such a tensor."""
        return torch.empty_strided(self.shape, self.strides, dtype=self.dtype, device=device)


@dataclass(frozen=True, kw_only=True)
class CarryRecord:
    """A carry without its tensors: what a receiver must know before they arrive.

    Attributes:
        skeleton: The carry with a mark in the place of every tensor.
        layouts: Layout of every tensor.
    """
    skeleton: Carry
    layouts: tuple[Layout, ...]


def flat(tensor: Tensor) -> Tensor:
    """Return all elements [N] in the order in which they lie in memory, without gaps."""
    dense = tensor if _is_dense(tensor) else tensor.contiguous()
    return dense.as_strided((dense.numel(),), (1,))


def _is_dense(tensor: Tensor) -> bool:
    """Tell whether the elements fill a stretch of memory, in whichever order of dimensions."""
    # From the innermost dimension outwards, each stride is the product of the sizes inside it.
    expected = 1
    for stride, size in sorted(zip(tensor.stride(), tensor.shape, strict=True)):
        if size != 1:
            if stride != expected:
                return False
            expected *= size
    return True


def _map(value: Any, change: Callable[[Any], Any]) -> Any:
    """Change every tensor inside tuples, lists, dicts and tokens.

    Raises:
        TypeError: Something else could hide a tensor, and with it a gradient.
    """
    if isinstance(value, (Tensor, _Place)):
        return change(value)
    if isinstance(value, Tokens):
        return replace(value, values=change(value.values))
    if isinstance(value, (tuple, list)):
        parts = [_map(part, change) for part in value]
        # A named tuple takes its fields one by one.
        return type(value)(*parts) if hasattr(value, '_fields') else type(value)(parts)
    if type(value) is dict:
        return {key: _map(part, change) for key, part in value.items()}
    if value is None or isinstance(value, (bool, int, float, str)):
        return value
    raise TypeError('what a backbone returns must be tensors, or tuples, lists or dicts of them, '
                    f'got {type(value).__name__}')
