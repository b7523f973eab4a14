"""Ranks that exchange values of the host and of their devices."""
from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import torch
import torch.distributed as dist

from auglocal_mm.execution.device_link import DeviceLink
from auglocal_mm.execution.messages import Sent, receive, send


@dataclass(frozen=True)
class RankGroup:
    """Process groups of the same ranks: one for each kind of memory.

    On CPUs it is one group. On accelerators, messages of the host need a group of gloo beside
    the default backend, which usually is NCCL and knows memory of devices only.

    Attributes:
        of_host: For values on the host.
        of_device: For tensors on the device.
        device: This rank's device.
    """
    of_host: Any
    of_device: Any
    device: torch.device

    @classmethod
    def of(cls, ranks: Sequence[int], device: torch.device) -> RankGroup:
        """Make the groups; all ranks of the training call it in the same order."""
        of_device = group_of(ranks, device)
        of_host = of_device if device.type == 'cpu' else group_of(ranks, device, backend='gloo')
        return cls(of_host=of_host, of_device=of_device, device=device)

    def sending(self, to: int) -> Callable[[Any], Sent]:
        """Return a function that starts to send a value to a rank."""
        if self.device.type == 'cpu':
            return partial(send, to=to, group=self.of_host)
        return self._link(to).send

    def receiving(self, sender: int) -> Callable[[], Any]:
        """Return a function that receives a value from a rank."""
        if self.device.type == 'cpu':
            return partial(receive, sender, group=self.of_host)
        return self._link(sender).receive

    def _link(self, peer: int) -> DeviceLink:
        return DeviceLink(peer, control=self.of_host, device=self.device,
                          direct=self.of_device if self._is_direct else None)

    @property
    def _is_direct(self) -> bool:
        """Whether the default backend sends memory of devices; gloo averages it only."""
        backends = dist.get_backend_config().split(',')
        return f'{self.device.type}:gloo' not in backends


def group_of(ranks: Sequence[int], device: torch.device, *, backend: str | None = None) -> Any:
    """Make a process group that waits as long as the default one; all ranks call it.

    Without being told, torch's own function takes its backend's default, whatever the run says.
    """
    world: Any = dist.group.WORLD
    timeout = world._get_backend(device).options._timeout
    return dist.new_group(list(ranks), timeout=timeout, backend=backend)
