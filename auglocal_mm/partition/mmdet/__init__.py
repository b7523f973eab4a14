"""mmdet's own backbones; :func:`auglocal_mm.partition.partition` imports this when it meets one."""
from . import mobilenet, pvt, resnet, swin  # noqa: F401  (each registers its families)
