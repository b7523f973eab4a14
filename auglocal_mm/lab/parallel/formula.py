"""Appendix A.1: how long training takes with every unit on a worker of its own."""
from __future__ import annotations


def time_ratio(*, depth: int, layers: int, iterations: float = float('inf'),
               backward: float = 2.0) -> float:
    """Return the time of parallel local learning over that of back-propagation.

    With forward time t_f and backward time t_b per layer, N iterations and L + 1 layers, it is
    (t_f·L + (d + 1)(t_f + t_b)N) / ((L + 1)(t_f + t_b)N), which tends to (d + 1) / (L + 1).

    Args:
        depth: Depth d of the auxiliary networks.
        layers: Number L + 1 of layers.
        iterations: Number N of iterations.
        backward: t_b / t_f.
    """
    fill = (layers - 1) / ((1 + backward) * iterations)
    return (fill + depth + 1) / layers
