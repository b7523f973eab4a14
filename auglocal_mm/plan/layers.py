"""The vocabulary of a plan: shapes of local layers, and the layers of auxiliary networks.

An auxiliary network is a sequence of these layers. Each prints itself in the
notation of the paper's appendix: ``64R`` a residual block of 64 channels,
``32C3`` a 3×3 convolution to 32 channels, ``AP`` average pooling, ``10FC`` a
linear layer to 10 values. The notation leaves out strides and norms of vectors.
"""
from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class LayerSpec:
    """The shape of one local layer.

    Attributes:
        name: Dotted path of the layer in its backbone, e.g. ``layer1.0``.
        channels: Channels of the layer's output.
        stride: Factor by which the layer shrinks each side of its input.
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
    trainable: bool = True
    stage: int = 1
    symbol: str = 'R'
    repeatable: bool = True
    granularity: int = 1
    halves_with_width: bool = False
    pooling: str = 'AP'


@dataclass(frozen=True)
class Block:
    """A fresh block built like the local layer `source`."""
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


AuxiliaryLayer = (Block | Conv | OwnPooling | GlobalPooling | HalvingPooling | QuarterPooling
                  | FixedPooling | FlatPooling | BatchNorm | Linear | Classifier | Embedding)
#: Layers with weights that the paper's depth d counts.
COUNTED = (Block, Conv, Linear, Classifier, Embedding)

