"""What the data of a detector hold."""
from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Semantics:
    """Classes and resolution of a semantic segmentation.

    Attributes:
        stride: Image's size by the segmentation's.
        first: Least class.
        classes: Number of classes, from ``first`` on.
    """

    stride: int
    first: int
    classes: int


@dataclass(frozen=True)
class Contents:
    """Images and what is known of them.

    Attributes:
        side: Height and width of the images in pixels.
        classes: Labels are below it.
        masks: Whether objects have masks; some detectors take none.
        proposals: Whether the detector takes proposals instead of finding its own.
        semantics: The semantic segmentation; None without.
    """

    side: int
    classes: int
    masks: bool
    proposals: bool
    semantics: Semantics | None
