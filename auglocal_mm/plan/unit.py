"""Units: the smallest parts of a backbone that are trained by themselves, as a rule sees them."""
from __future__ import annotations

from dataclasses import KW_ONLY, dataclass


@dataclass(frozen=True)
class UnitSpec:
    """The shape of one unit.

    Attributes:
        name: Dotted path of the unit in its backbone, e.g. ``layer1.0``.
        channels: Channels of the unit's output.
        stride: Factor by which the unit shrinks each side of its input.
        trainable: Whether any of its parameters is trained.
        stage: Number of its stage, from 1; a stem belongs to the first.
        symbol: Name of a block like it in a plan, e.g. ``R``.
        repeatable: Whether an auxiliary block can be built like it.
        granularity: Channels of a block like it are a multiple of this.
        halves_with_width: Whether auxiliary networks halve the resolution once at
            every change of channels (VGG), however large it is.
        pooling: Name of its network's own step from features to a vector.
    """
    name: str
    channels: int
    stride: int
    _: KW_ONLY
    trainable: bool = True
    stage: int = 1
    symbol: str = 'R'
    repeatable: bool = True
    granularity: int = 1
    halves_with_width: bool = False
    pooling: str = 'AP'
