"""The interface of a second loss."""
from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import ClassVar

from torch import Tensor, nn


class FeatureLoss(nn.Module, ABC):
    """A loss on a unit's features, possibly with trainable parts of its own.

    Attributes:
        target: What it compares the features with, an attribute of the task's batch. In
            classification: ``'images'`` [B, 3, H, W] as the network sees them,
            ``'labels'`` [B], or ``'scores'`` [B, classes], which are one-hot labels or
            the soft ones of Mixup and CutMix.

    Args:
        channels: Channels C of the features.
        mean: The data preprocessor's, in pixel values 0 … 255.
        std: The data preprocessor's, in pixel values 0 … 255.
    """

    target: ClassVar[str]

    def __init__(self, channels: int, *, mean: Sequence[float], std: Sequence[float]) -> None:
        super().__init__()

    @abstractmethod
    def forward(self, features: Tensor, target: Tensor) -> Tensor:
        """Map features [B, C, H, W] and the target to the loss, a scalar."""
