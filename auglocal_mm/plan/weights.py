"""How a local loss's weight changes from the first module to the last."""
from __future__ import annotations

from collections.abc import Sequence


def linear_weights(ends: Sequence[float], count: int) -> tuple[float, ...]:
    """Return the weights of `count` local losses, linear in depth (section 4 of the appendix).

    The weight of auxiliary network i = 0 … K − 2 is first + (last − first)·i/(K − 2).
    With a single network, where that would divide by zero, it is the first weight.

    Args:
        ends: First and last weight.
        count: Number of auxiliary networks, K − 1.
    """
    first, last = ends
    if count == 1:  # K − 2 = 0
        return (first,)
    return tuple(first + (last - first) * index / (count - 1) for index in range(count))
