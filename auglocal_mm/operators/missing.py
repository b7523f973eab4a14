"""Operators without a stand-in: they raise when they are called, and say what to do."""
from __future__ import annotations

from collections.abc import Callable
from importlib import metadata
from typing import Any, NoReturn

#: What an operator is for, by the beginning of its name; the longest that fits counts.
PURPOSES = {
    'active_rotated_filter': 'orientation-sensitive convolution of rotated detectors',
    'assign_score_withk': 'position-adaptive convolution on point clouds',
    'ball_query': 'neighbours within a radius in point clouds',
    'bezier_align': 'pooling along Bézier curves for text spotting',
    'bias_act': 'bias and activation of generative networks',
    'border_align': 'pooling along the borders of boxes',
    'box_iou_quadri': 'IoU of quadrilaterals',
    'box_iou_rotated': 'IoU of rotated boxes',
    'chamfer_distance': 'distance between point sets',
    'contour_expand': 'text detection by growing kernels',
    'convex_giou': 'generalised IoU of convex polygons',
    'convex_iou': 'IoU of convex polygons',
    'correlation': 'correlation of feature maps for optical flow',
    'deform_roi_pool': 'deformable RoI pooling',
    'diff_iou_rotated': 'differentiable IoU of rotated boxes',
    'dynamic_': 'voxels of point clouds',
    'filtered_lrelu': 'filtered activation of generative networks',
    'furthest_point_sampling': 'sampling of point clouds',
    'fused_bias_leakyrelu': 'bias and activation of generative networks',
    'fused_indice_conv': 'sparse convolution',
    'gather_points': 'gathering from point clouds',
    'get_indice_pairs': 'sparse convolution',
    'group_points': 'grouping in point clouds',
    'hard_voxelize': 'voxels of point clouds',
    'indice_': 'sparse convolution and pooling',
    'iou3d': 'IoU and NMS of 3D boxes',
    'knn': 'nearest neighbours in point clouds',
    'line_nms': 'NMS of line segments',
    'min_area_polygons': 'least enclosing rectangles of point sets',
    'nms_quadri': 'NMS of quadrilaterals',
    'nms_rotated': 'NMS of rotated boxes',
    'pixel_group': 'text detection by grouping pixels',
    'points_in_boxes': 'points inside 3D boxes',
    'points_in_polygons': 'points inside polygons',
    'prroi_pool': 'precise RoI pooling',
    'psamask': 'point-wise spatial attention',
    'riroi_align_rotated': 'rotation-invariant RoIAlign',
    'roi_align': 'RoIAlign',
    'roi_align_rotated': 'RoIAlign of rotated boxes',
    'roiaware_pool3d': 'pooling of points inside 3D boxes',
    'roipoint_pool3d': 'pooling of points inside 3D boxes',
    'rotated_feature_align': 'feature alignment of rotated detectors',
    'stack_': 'neighbours and grouping in point clouds',
    'sync_bn': "mmcv's own synchronised batch norm; torch's SyncBatchNorm needs no operator",
    'three_interpolate': 'interpolation in point clouds',
    'three_nn': 'nearest neighbours in point clouds',
    'tin_shift': 'temporal shift of video networks',
    'upfirdn2d': 'resampling of generative networks',
}


class MissingOperatorError(NotImplementedError):
    """An operator of mmcv was called that has neither a compiled form nor a stand-in.

    Args:
        name: Its name in ``mmcv._ext``.
        purpose: What it is for.
    """

    def __init__(self, name: str, purpose: str) -> None:
        super().__init__(
            f'mmcv\'s operator {name} ({purpose}) was called, but this mmcv has no compiled '
            f'operators and torchvision has none to stand in for it.\n'
            f'Fix: compile mmcv\'s operators (a C++ compiler, 15 to 30 minutes on 2 cores): '
            f'`make operators` in a clone of auglocal_mm, or `{compile_command()}`')


def purpose_of(name: str) -> str:
    """Return what an operator is for."""
    fitting = [start for start in PURPOSES if name.startswith(start)]
    return PURPOSES[max(fitting, key=len)] if fitting else 'an operator of mmcv.ops'


def compile_command() -> str:
    """Return the command that compiles the operators of the mmcv that is installed."""
    build = ('MMCV_WITH_OPS=1 pip install --force-reinstall --no-deps --no-build-isolation '
             '--no-binary {0} {0}=={1}')
    for name in ('onedl-mmcv', 'mmcv', 'mmcv-lite'):
        try:
            version = metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
        if name == 'mmcv-lite':  # holds the same files under another name
            return f'pip uninstall mmcv-lite; {build.format("mmcv", version)}'
        return build.format(name, version)
    return build.format('onedl-mmcv', '2.3.6')


def missing_operator(name: str) -> Callable[..., NoReturn]:
    """Return a function that raises :class:`MissingOperatorError` when it is called.

    Raises:
        AttributeError: The name is Python's own or private, so no operator's.
    """
    if name.startswith('_'):
        raise AttributeError(f"module 'mmcv._ext' has no attribute {name!r}")

    def operator(*args: Any, **kwargs: Any) -> NoReturn:
        raise MissingOperatorError(name, purpose_of(name))

    operator.__name__ = operator.__qualname__ = name
    return operator
