"""Tensors that travel together: each message between ranks takes a round trip."""
from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor

from auglocal_mm.execution.carry import flat

#: Tensors are put together until they have this size; larger ones travel by themselves.
MOST_BYTES = 1 << 20


def together(owned: Iterable[tuple[Tensor, int]]) -> Iterator[tuple[int, list[Tensor]]]:
    """Group tensors of one owner, type and kind of device.

    All ranks group them alike, if shapes and order are the same everywhere.

    Args:
        owned: Tensors and their owners.

    Yields:
        An owner, and some of its tensors.
    """
    groups: dict[tuple[int, torch.dtype, str], list[Tensor]] = {}
    sizes: Counter[tuple[int, torch.dtype, str]] = Counter()
    for tensor, owner in owned:
        if tensor.nbytes >= MOST_BYTES:
            yield owner, [tensor]
            continue
        key = owner, tensor.dtype, tensor.device.type
        groups.setdefault(key, []).append(tensor)
        sizes[key] += tensor.nbytes
        if sizes[key] >= MOST_BYTES:
            del sizes[key]
            yield owner, groups.pop(key)
    for (owner, *_), group in groups.items():
        yield owner, group


@torch.no_grad()
def broadcast(tensors: Sequence[Tensor], *, src: int, group: Any = None) -> None:
    """Send the values of tensors of one type, which lie alike everywhere, to all ranks.

    Args:
        tensors: They are overwritten, except on the sender.
        src: The sender.
        group: A process group; ``None`` for the default one.
    """
    values = [flat(tensor.data) for tensor in tensors]
    message = values[0] if len(values) == 1 else torch.cat(values)
    dist.broadcast(message, src=src, group=group)
    if dist.get_rank() == src:
        return
    parts = message.split([each.numel() for each in values])
    for tensor, own, part in zip(tensors, values, parts, strict=True):
        if own.data_ptr() != tensor.data_ptr():  # a view with gaps was copied
            tensor.data.copy_(part.view_as(tensor))
        elif own.data_ptr() != part.data_ptr():
            own.copy_(part)
