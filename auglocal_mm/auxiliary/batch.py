"""What local losses compare features and logits with."""
from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import torch
from mmpretrain.structures import label_to_onehot
from torch import Tensor


@dataclass(frozen=True)
class LocalBatch:
    """A training batch, its targets computed when they are first asked for.

    Attributes:
        images: As the network sees them [B, 3, H, W].
        data_samples: B data samples with labels.
        num_classes: Number of classes.
    """
    images: Tensor
    data_samples: Sequence[Any]
    num_classes: int

    @cached_property
    def labels(self) -> Tensor:
        """One label an image [B]."""
        return torch.cat([sample.gt_label for sample in self.data_samples]).to(self.images.device)

    @cached_property
    def scores(self) -> Tensor:
        """Class scores [B, classes]: soft labels where there are any, else one-hot ones."""
        return torch.stack([
            sample.gt_score if 'gt_score' in sample
            else label_to_onehot(sample.gt_label, self.num_classes)
            for sample in self.data_samples]).to(self.images)
