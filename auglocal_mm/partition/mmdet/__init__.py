"""mmdet's own backbones; :func:`auglocal_mm.partition.partition` imports this when it meets one."""
from . import resnet  # noqa: F401  (each registers its families)
