"""IoU of boxes, by mmcv's own function in PyTorch."""
from __future__ import annotations

from torch import Tensor

from .precision import widen

_MODES = ('iou', 'iof')


def bbox_overlaps(
    bboxes1: Tensor, bboxes2: Tensor, ious: Tensor, *, mode: int, aligned: bool, offset: int
) -> None:
    """Write the shared area of boxes by that of their union, or of the first box.

    Args:
        bboxes1: ``(x1, y1, x2, y2)`` in pixels, shape [M×4].
        bboxes2: Shape [N×4].
        ious: Receives the result; shape [M×N], or [M] where ``aligned``.
        mode: 0 union (IoU), 1 first box (IoF).
        aligned: Whether to compare pairs of rows only; then M = N.
        offset: 1 where a box includes its last pixel, else 0.
    """
    # Imported late: mmcv.ops imports this module's operators first.
    from mmcv.ops.bbox import _bbox_overlaps_cpu

    ious.copy_(_bbox_overlaps_cpu(widen(bboxes1), widen(bboxes2), mode=_MODES[mode],
                                  aligned=aligned, offset=offset))
