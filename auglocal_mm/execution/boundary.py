"""The gradient boundary between modules."""
from __future__ import annotations

from torch import Tensor


def boundary(x: Tensor) -> Tensor:
    """Return the same values without their history, so that no gradient crosses.

    The only ``detach`` on the training path.
    """
    return x.detach()
