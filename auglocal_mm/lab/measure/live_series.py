"""Live memory of a training step at any batch size, from counts at small ones."""
from __future__ import annotations

import gc
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from torch import nn
from torch.optim import Optimizer

from .live_memory import PARTS, LiveMemory, LivePeak, counted, existing, tensors_in
from .memory import BYTES_PER_MIB


@dataclass(frozen=True, eq=False)
class LiveSeries:
    """What was alive before a step, and after each operation of it that made something.

    Attributes:
        operations: The operation before each moment, with the dimensions of what it returned.
        alive: Bytes [moments, parts], parts in the order of :data:`.live_memory.PARTS`.
    """
    operations: tuple[str, ...]
    alive: np.ndarray

    def matched(self, other: LiveSeries) -> np.ndarray | None:
        """Return another series' bytes at the moments of this one.

        The other step may do some things more often: what is done for each image by itself.

        Returns:
            ``None`` if it does not do all that this one does, in this order.
        """
        found: list[int] = []
        for operation in self.operations:
            try:
                found.append(other.operations.index(operation, found[-1] + 1 if found else 0))
            except ValueError:
                return None
        # Both have ended: what the other makes after the last match belongs to no image.
        return other.alive[found] if found[-1] == len(other.operations) - 1 else None


class _Recorder(LiveMemory):
    """A counter that keeps each moment."""

    def __init__(self, before: dict[str, Any]) -> None:
        super().__init__(before)
        self.operations = ['']
        self.moments = [tuple(self.parts.values())]

    def __torch_dispatch__(self, function: Any, types: Any, arguments: tuple[Any, ...] = (),
                           settings: dict[str, Any] | None = None) -> Any:
        """Run an operation, count what it has made, and keep the moment."""
        made = self.made
        results = super().__torch_dispatch__(function, types, arguments, settings)
        if self.made > made:
            dimensions = ' '.join(str(tensor.dim()) for tensor in tensors_in(results))
            self.operations.append(f'{function} {dimensions}')
            self.moments.append(tuple(self.parts.values()))
        return results


def live_series(step: Callable[[], Any], *, model: nn.Module,
                optimizers: Iterable[Optimizer] = (), batch: Any = ()) -> LiveSeries:
    """Count what is alive in a training step, moment by moment.

    Args:
        step, model, optimizers, batch: As for :func:`.live_memory.live_peak`.
    """
    recorder = _Recorder(existing(model, optimizers, batch))
    # Cycles must not be collected at another moment for another batch.
    gc.collect()
    gc.disable()
    try:
        with counted(recorder, model):
            step()
    finally:
        gc.enable()
    return LiveSeries(operations=tuple(recorder.operations), alive=np.array(recorder.moments))


@dataclass(frozen=True, eq=False)
class MemoryLaw:
    """How the live memory of a step grows with the batch.

    Every tensor of a step has a size that does not depend on the batch, or grows with it, or,
    like a matrix of similarities, with its square. So has everything alive at one moment. The
    peak has not: it may move to another moment.

    Attributes:
        coefficients: Bytes [3, moments, parts]: fixed, for each image, for each pair of images.
    """
    coefficients: np.ndarray

    @classmethod
    def of(cls, series: Sequence[LiveSeries], *, spacing: int) -> MemoryLaw:
        """Derive the law from counts.

        Args:
            series: What :func:`live_series` counted with 1, 2 and 3 times as many images.
            spacing: Images in the first of them.

        Raises:
            ValueError: The operations of the step depend on the batch.
        """
        alive = [series[0].matched(each) for each in series]
        if any(each is None for each in alive):
            raise ValueError(f'what a step does must not depend on the batch, got '
                             f'{", ".join(str(len(each.alive)) for each in series)} tensors made '
                             f'with 1, 2 and 3 times {spacing} images; measure without --count')
        first, second, third = (np.asarray(each, dtype=float) for each in alive)
        # By differences, so that what is even gives no square at all.
        pairs = (third - 2 * second + first) / (2 * spacing**2)
        images = (second - first) / spacing - 3 * spacing * pairs
        return cls(np.stack([first - spacing * images - spacing**2 * pairs, images, pairs]))

    def totals_mb(self, images: np.ndarray) -> np.ndarray:
        """Return the peaks at many batch sizes in mebibytes, without their parts."""
        alive = self.coefficients.sum(axis=2)
        # One by one: all moments of all batch sizes together would take gigabytes.
        return np.array([np.max([1, each, each**2] @ alive) for each in images]) / BYTES_PER_MIB

    def peak(self, images: int) -> LivePeak:
        """Return the peak at a batch size."""
        alive = np.tensordot([1, images, images**2], self.coefficients, axes=1)
        moment = int(alive.sum(axis=1).argmax())
        parts = alive[moment] / BYTES_PER_MIB
        return LivePeak(parts_mb=dict(zip(PARTS, parts.tolist(), strict=True)),
                        made_mb=float(alive[moment].sum() - alive[0].sum()) / BYTES_PER_MIB)
