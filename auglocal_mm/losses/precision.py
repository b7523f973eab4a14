"""Full precision for the similarities of a batch, whether or not autocast is on."""
from __future__ import annotations

import torch
from torch import Tensor


def without_autocast(x: Tensor) -> torch.autocast:
    """Return a context in which autocast is off for `x`'s device."""
    return torch.autocast(x.device.type, enabled=False)


def at_least_float32(x: Tensor) -> Tensor:
    """Return `x` in float32; float64 stays float64."""
    return x if x.dtype is torch.float64 else x.float()
