"""The kinds of semantic segmentation that detectors train with."""
from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Semantics:
    """Classes and resolution of a made semantic segmentation.

    Attributes:
        stride: Image's size by the segmentation's.
        first: Least class.
        classes: Number of classes, from ``first`` on.
    """

    stride: int
    first: int
    classes: int
