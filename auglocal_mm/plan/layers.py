"""The layers that auxiliary networks consist of, as data.

An auxiliary network is a sequence of them. Each prints itself in the
notation of the paper's appendix: ``64R`` a residual block of 64 channels,
``32C3`` a 3×3 convolution to 32 channels, ``AP`` average pooling, ``10FC`` a
linear layer to 10 values. The notation leaves out strides and norms of vectors.
"""
from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Block:
    """A fresh block built like the unit `source`."""
    source: str
    channels: int
    stride: int = 1
    symbol: str = 'R'

    def __str__(self) -> str:
        return f'{self.channels}{self.symbol}'


@dataclass(frozen=True)
class Conv:
    """Convolution without bias, BatchNorm2d and ReLU; its padding keeps the side."""
    channels: int
    kernel_size: int = 3
    stride: int = 1

    def __str__(self) -> str:
        return f'{self.channels}C{self.kernel_size}'


@dataclass(frozen=True)
class OwnPooling:
    """The step from features to a vector that the backbone itself takes after `source`."""
    source: str
    symbol: str = 'AP'

    def __str__(self) -> str:
        return self.symbol


@dataclass(frozen=True)
class GlobalPooling:
    """Average over all positions of a feature map: [B, C, H, W] -> [B, C]."""

    def __str__(self) -> str:
        return 'AP'


@dataclass(frozen=True)
class HalvingPooling:
    """Average pooling of 2×2 windows: a side s -> ⌈s/2⌉."""

    def __str__(self) -> str:
        return 'AP'


@dataclass(frozen=True)
class QuarterPooling:
    """Average pooling: a side s -> ⌈s/4⌉."""

    def __str__(self) -> str:
        return 'AP'


@dataclass(frozen=True)
class FixedPooling:
    """Average pooling to `height` × `width`, then flattening to one vector."""
    height: int
    width: int

    def __str__(self) -> str:
        return 'AP'


@dataclass(frozen=True)
class FlatPooling:
    """Flattening, then adaptive average pooling of the vector to `features` values."""
    features: int

    def __str__(self) -> str:
        return 'AP'


@dataclass(frozen=True)
class BatchNorm:
    """BatchNorm1d of a vector."""

    def __str__(self) -> str:
        return 'BN'


@dataclass(frozen=True)
class Linear:
    """Linear layer (with a bias if `bias`), BatchNorm1d (if `norm`), and ReLU."""
    features: int
    norm: bool = True
    bias: bool = True

    def __str__(self) -> str:
        return f'{self.features}FC'


@dataclass(frozen=True)
class Classifier:
    """Linear layer to the classes."""

    def __str__(self) -> str:
        return 'FC'


@dataclass(frozen=True)
class Embedding:
    """Linear layer to a vector of `features` values, for a contrastive loss."""
    features: int = 128

    def __str__(self) -> str:
        return f'{self.features}FC'


@dataclass(frozen=True)
class TaskHead:
    """What a task's own local loss ends in, such as a detection head on a map.

    Attributes:
        loss: Name of the task's loss, which builds the head.
        stride: Pixels between two positions of the map that it reads; 0 for a vector.
    """
    loss: str
    stride: int = 0

    def __str__(self) -> str:
        return f'{self.loss}@{self.stride}' if self.stride else self.loss


AuxiliaryLayer = (Block | Conv | OwnPooling | GlobalPooling | HalvingPooling | QuarterPooling
                  | FixedPooling | FlatPooling | BatchNorm | Linear | Classifier | Embedding
                  | TaskHead)
#: Layers with weights that the paper's depth d counts.
COUNTED = (Block, Conv, Linear, Classifier, Embedding, TaskHead)
