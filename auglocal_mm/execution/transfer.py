"""Sends a carry from one rank to another."""
from __future__ import annotations

from typing import Any

import torch
import torch.distributed as dist

from .carry import Carry, flat


def send(carry: Carry, to: int, *, group: dist.ProcessGroup | None = None) -> None:
    """Send a carry's record and tensors to another rank.

    Args:
        carry: What to send.
        to: The rank that calls :func:`receive`.
        group: The process group; ``None`` for the default one.

    Raises:
        ValueError: It has a history; gradients do not travel.
    """
    record, tensors = carry.pack()
    dist.send_object_list([record], dst=to, group=group)
    for tensor in tensors:
        dist.send(flat(tensor), dst=to, group=group)


def receive(sender: int, *, device: torch.device | str = 'cpu',
            group: dist.ProcessGroup | None = None) -> Carry:
    """Receive what another rank sends: equal values in equal memory layouts.

    Args:
        sender: The rank that calls :func:`send`.
        device: Where the tensors go.
        group: The process group; ``None`` for the default one.
    """
    header: list[Any] = [None]
    dist.recv_object_list(header, src=sender, group=group)
    tensors = [layout.empty(device) for layout in header[0].layouts]
    for tensor in tensors:
        dist.recv(flat(tensor), src=sender, group=group)
    return Carry.unpack(header[0], tensors)
