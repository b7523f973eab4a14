"""COCO instance annotations of masks, written without pycocotools."""
from collections.abc import Sequence
from typing import Any

import numpy as np

from .scene_drawing import Instance


def run_lengths(mask: np.ndarray) -> list[int]:
    """Compute the lengths of a mask's alternating runs, down its columns, zeros first.

    Args:
        mask: bool of shape (H, W).

    Returns:
        COCO's uncompressed run lengths; their sum is H * W.
    """
    flat = np.concatenate(([False], mask.ravel(order='F'), [False]))
    changes = np.flatnonzero(flat[1:] != flat[:-1])
    # The last run ends with the mask; for a run of ones that change is already counted.
    if not flat[-2]:
        changes = np.append(changes, mask.size)
    return np.diff(changes, prepend=0).tolist()


def annotate(mask: np.ndarray, *, label: int) -> dict[str, Any]:
    """Return the COCO annotation of one instance, without its id and its image's id.

    Args:
        mask: The visible pixels, bool of shape (H, W), at least one true.
        label: The class, counted from 0; COCO's categories count from 1.

    Raises:
        ValueError: The mask is empty.
    """
    if not mask.any():
        raise ValueError('an instance needs a mask with at least one pixel, got an empty one')
    rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
    top, left = int(rows[0]), int(columns[0])
    return dict(category_id=label + 1, iscrowd=0, area=int(mask.sum()),
                bbox=[left, top, int(columns[-1]) + 1 - left, int(rows[-1]) + 1 - top],
                segmentation=dict(size=list(mask.shape), counts=run_lengths(mask)))


def to_coco(scenes: Sequence[Sequence[Instance]], *, file_names: Sequence[str],
            classes: Sequence[str], side_px: int) -> dict[str, Any]:
    """Assemble the annotations of square scenes into one COCO dictionary.

    Args:
        scenes: The instances of each scene.
        file_names: Each scene's file, relative to the image folder.
        classes: Category names; category ids count from 1.
        side_px: The scenes' side.
    """
    images: list[dict[str, Any]] = []
    annotations: list[dict[str, Any]] = []
    for number, (name, instances) in enumerate(zip(file_names, scenes, strict=True), start=1):
        images.append(dict(id=number, file_name=name, width=side_px, height=side_px))
        for instance in instances:
            annotations.append(dict(id=len(annotations) + 1, image_id=number,
                                    **annotate(instance.mask, label=instance.label)))
    categories = [dict(id=number, name=name, supercategory='digit')
                  for number, name in enumerate(classes, start=1)]
    return dict(images=images, annotations=annotations, categories=categories)
