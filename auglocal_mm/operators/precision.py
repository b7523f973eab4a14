"""The precision in which operators compute."""
from __future__ import annotations

from torch import Tensor


def widen(tensor: Tensor) -> Tensor:
    """Return 16-bit floats as float32, and any other tensor as it is.

    An operator that computes on the result and writes it into a 16-bit output rounds
    once. Compiled operators accumulate in 16 bits, so they are less exact.
    """
    return tensor.float() if tensor.is_floating_point() and tensor.itemsize < 4 else tensor
