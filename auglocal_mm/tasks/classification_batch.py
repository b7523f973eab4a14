"""A batch of classified images, and the targets that losses take from it."""
from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import torch
from mmpretrain.structures import DataSample, label_to_onehot
from torch import Tensor


@dataclass(frozen=True)
class ClassificationBatch:
    """A training batch whose targets are computed once, on first use.

    Attributes:
        images: As the network sees them [B, 3, H, W].
        data_samples: B data samples with labels.
        num_classes: Number of classes.
    """
    images: Tensor
    data_samples: Sequence[Any]
    num_classes: int

    @cached_property
    def labels(self) -> Tensor | None:
        """One label per image [B]; ``None`` where images have mixed or several labels."""
        if 'gt_score' in self.data_samples[0]:
            return None
        labels = [sample.gt_label for sample in self.data_samples]
        if any(len(label) != 1 for label in labels):
            return None
        return torch.cat(labels).to(self.images.device)

    @cached_property
    def packed_samples(self) -> Sequence[Any]:
        """One sample that holds all labels, if each image has one.

        A ``ClsHead`` concatenates its samples' labels. Every module's loss would
        repeat that, with a thousand small tensors at the paper's batch size.
        """
        if self.labels is None:
            return self.data_samples
        return [DataSample().set_gt_label(self.labels)]

    @cached_property
    def scores(self) -> Tensor:
        """Class scores [B, classes]: soft labels if there are any, else one-hot labels."""
        return torch.stack([
            sample.gt_score if 'gt_score' in sample
            else label_to_onehot(sample.gt_label, self.num_classes)
            for sample in self.data_samples]).to(self.images)
