"""The network between ranks: how long transfers and averages take."""
from __future__ import annotations

from dataclasses import dataclass
from math import isfinite


@dataclass(frozen=True, kw_only=True)
class Network:
    """A network in which each rank can send, receive and average at the same time.

    Attributes:
        bandwidth: Bytes per second in each direction of each rank.
        latency: Seconds from the start of a message to the arrival of its first byte.
        rendezvous: Whether a message starts only when its receiver waits for it. Otherwise it
            starts when it is sent and lies in the receiver's queue.

    Raises:
        ValueError: A value is impossible.
    """
    bandwidth: float = 10e9
    latency: float = 20e-6
    rendezvous: bool = False

    def __post_init__(self) -> None:
        if not self.bandwidth > 0:  # also nan
            raise ValueError('--bandwidth must be above 0 GB/s, got '
                             f'{self.bandwidth / 1e9:g}')
        if not (isfinite(self.latency) and self.latency >= 0):
            raise ValueError('--latency must be a finite number of at least 0 seconds, got '
                             f'{self.latency}')

    def transfer(self, size: float) -> float:
        """Return the seconds of one message of `size` bytes."""
        return self.latency + size / self.bandwidth

    def average(self, size: float, ranks: int) -> float:
        """Return the seconds of a ring all-reduce of `size` bytes.

        In each of 2 (n − 1) rounds, every rank sends 1 / n of the bytes to its neighbour.
        """
        if ranks == 1:
            return 0.0
        return 2 * (ranks - 1) * self.transfer(size / ranks)
