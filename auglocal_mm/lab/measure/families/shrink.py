"""Makes a detector's config small and self-contained: plain data in, plain data out."""
from __future__ import annotations

from collections.abc import Mapping
from typing import Any

#: Most that a setting of this name may be: boxes, queries and points, by which time grows.
MOST = {
    'max_per_img': 30, 'nms_pre': 100, 'num': 64, 'num_dn_queries': 10, 'num_points': 500,
    'num_proposals': 30, 'num_queries': 30,
}
#: Thresholds up to which a prediction is dropped, all below every score. Otherwise a
#: network with fresh weights would predict nothing, and NMS would never be called.
THRESHOLDS = frozenset({'conf_thr', 'filter_thr', 'score_thr'})
#: Settings that name weights to download, and batches in other sizes than the one made.
DROPPED = frozenset({'batch_augments', 'pretrained', 'teacher_ckpt'})


def shrink(node: Any) -> Any:
    """Return a copy of a config, or of a part of it, that a CPU trains in seconds.

    Numbers of boxes and queries are cut to :data:`MOST`, score thresholds are −1, and
    nothing is left that loads weights: neither ``Pretrained`` nor a checkpoint, at any
    depth. Networks keep their depth and width.

    Args:
        node: Mappings, sequences and plain values.

    Returns:
        The same of dictionaries, lists, tuples and plain values; `node` stays as it is.
    """
    if isinstance(node, Mapping):
        return {key: _setting(key, value) for key, value in node.items()
                if key not in DROPPED and not _loads_weights(value)}
    if isinstance(node, (list, tuple)):
        return type(node)(shrink(item) for item in node if not _loads_weights(item))
    return node


def _setting(key: str, value: Any) -> Any:
    if key in THRESHOLDS:
        return -1.0
    if key in MOST and isinstance(value, int):
        return min(value, MOST[key])
    return shrink(value)


def _loads_weights(value: Any) -> bool:
    """Return whether a setting is a checkpoint; some configs give one without saying more."""
    return isinstance(value, Mapping) and (
        value.get('type') == 'Pretrained' or 'checkpoint' in value)
