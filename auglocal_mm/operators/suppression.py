"""Non-maximum suppression: greedy, soft, and with the suppressed boxes kept as groups.

Boxes are ``(x1, y1, x2, y2)`` in pixels. ``offset`` is 1 where a box includes its last
pixel, and 0 elsewhere; the width of a box is ``x2 - x1 + offset``.
"""
from __future__ import annotations

import numpy as np
import numpy.typing as npt
import torch
import torchvision
from torch import Tensor

from .precision import widen

_Array = npt.NDArray[np.float32]
_NAIVE, _LINEAR, _GAUSSIAN = 0, 1, 2


def _float32(value: float) -> float:
    """Round as compiled operators do: they hold thresholds in 32 bits."""
    return float(np.float32(value))


def nms(boxes: Tensor, scores: Tensor, *, iou_threshold: float, offset: int) -> Tensor:
    """Suppress boxes that overlap one of a higher score by more than a threshold.

    Args:
        boxes: Shape [N×4].
        scores: Shape [N].
        iou_threshold: Least IoU that is not yet suppressed.
        offset: 0 or 1.

    Returns:
        Indices of the boxes kept, by falling score; shape [K], int64.
    """
    boxes, scores = widen(boxes), widen(scores)
    if offset:
        boxes = boxes + boxes.new_tensor([0.0, 0.0, offset, offset])
    # mmcv and torchvision order equal scores differently, so the boxes come in mmcv's order.
    order = scores.sort(descending=True).indices
    kept = torchvision.ops.nms(boxes[order], scores[order].to(boxes.dtype),
                               _float32(iou_threshold))
    return order[kept]


def softnms(
    boxes: Tensor, scores: Tensor, dets: Tensor, *, iou_threshold: float, sigma: float,
    min_score: float, method: int, offset: int,
) -> Tensor:
    """Lower the scores of overlapping boxes instead of dropping them (Soft-NMS).

    Args:
        boxes: Shape [N×4], on the CPU.
        scores: Shape [N].
        dets: Receives box and new score of the K boxes kept, in order; shape [N×5].
        iou_threshold: IoU from which the naive and the linear method lower a score.
        sigma: Width of the Gaussian method.
        min_score: Boxes below it are dropped.
        method: 0 naive, 1 linear, 2 Gaussian.
        offset: 0 or 1.

    Returns:
        Indices of the boxes kept, by falling new score; shape [K], int64.
    """
    # Columns x1, y1, x2, y2, score. Rows move as in the compiled operator, because
    # their order decides between equal scores.
    rows = np.column_stack([boxes.float().numpy(), scores.float().numpy()])
    order = np.arange(len(rows))
    count, done = len(rows), 0
    while done < count:
        best = done + _first_highest(rows[done:count, 4])
        rows[[done, best]], order[[done, best]] = rows[[best, done]], order[[best, done]]
        rest = slice(done + 1, count)
        overlap = _overlaps(rows[done], rows[rest], offset=offset)
        rows[rest, 4] *= _weights(overlap, method=method, sigma=np.float32(sigma),
                                  iou_threshold=np.float32(iou_threshold))
        # Not `>=`: the compiled operator keeps a score that is NaN.
        kept = _close_gaps(~(rows[rest, 4] < np.float32(min_score)))
        rows[done + 1:done + 1 + len(kept)] = rows[rest][kept]
        order[done + 1:done + 1 + len(kept)] = order[rest][kept]
        count = done + 1 + len(kept)
        done += 1
    dets[:count] = torch.from_numpy(rows[:count]).to(dets)
    return torch.from_numpy(order[:count].copy())


def _first_highest(scores: _Array) -> int:
    """Return the place of the highest score, as a running comparison finds it.

    Two boxes without area make a Gaussian score NaN. A comparison with NaN is false.
    """
    return 0 if np.isnan(scores[0]) else int(np.nanargmax(scores))


def _overlaps(box: _Array, others: _Array, *, offset: int) -> _Array:
    """Compute the IoU of one box [5] with others [N×5]; NaN where both have no area."""
    low = np.maximum(box[:2], others[:, :2])
    high = np.minimum(box[2:4], others[:, 2:4])
    shared = np.maximum(high - low + np.float32(offset), np.float32(0)).prod(axis=1)
    area = (box[2:4] - box[:2] + np.float32(offset)).prod()
    areas = (others[:, 2:4] - others[:, :2] + np.float32(offset)).prod(axis=1)
    with np.errstate(divide='ignore', invalid='ignore'):
        return shared / (area + areas - shared)


def _weights(
    overlap: _Array, *, method: int, sigma: np.float32, iou_threshold: np.float32
) -> _Array:
    if method == _GAUSSIAN:
        return np.exp(-(overlap * overlap) / sigma)
    lowered = 1 - overlap if method == _LINEAR else np.zeros_like(overlap)
    return np.where(overlap >= iou_threshold, lowered, np.float32(1))


def _close_gaps(kept: npt.NDArray[np.bool_]) -> npt.NDArray[np.int64]:
    """Return the order of the rows kept when the last row left fills each gap."""
    count = int(kept.sum())
    places = np.arange(count)
    gaps = np.flatnonzero(~kept[:count])
    places[gaps] = np.flatnonzero(kept[count:])[::-1] + count
    return places


def nms_match(dets: Tensor, *, iou_threshold: float) -> list[list[int]]:
    """Group boxes: each one that NMS keeps, followed by those that it suppresses.

    Args:
        dets: Boxes and scores, shape [N×5], on the CPU.
        iou_threshold: IoU from which a box is suppressed.

    Returns:
        Groups of indices, each by falling score.
    """
    rows = dets.float()
    order = rows[:, 4].sort(descending=True).indices.numpy()  # mmcv's order of equal scores
    boxes = rows.numpy()
    groups = []
    while len(order):
        overlap = _overlaps(boxes[order[0]], boxes[order[1:]], offset=0)
        joins = np.concatenate([[True], overlap >= np.float32(iou_threshold)])
        groups.append(order[joins].tolist())
        order = order[~joins]
    return groups
