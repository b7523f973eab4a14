"""Families of mmdet's own backbones, registered when ``partition`` meets one."""
from . import csp, mobilenet, pvt, resnet, swin  # noqa: F401  (each registers its families)
