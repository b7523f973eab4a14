"""Similarities of a whole batch are computed in full precision, autocast or not."""
from __future__ import annotations

import torch
from torch import Tensor


def without_autocast(x: Tensor) -> torch.autocast:
    """The context in which nothing on `x`'s device is cast down."""
    return torch.autocast(x.device.type, enabled=False)


def at_least_float32(x: Tensor) -> Tensor:
    """`x` in float32, or in float64 as it is."""
    return x if x.dtype is torch.float64 else x.float()
