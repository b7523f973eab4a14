"""The CIFAR ResNets of He et al. (2016), section 4.2: 6n + 2 layers in three stages."""
from __future__ import annotations

from typing import Any, ClassVar

from mmpretrain.models.backbones import ResNet_CIFAR
from mmpretrain.models.backbones.resnet import BasicBlock

from auglocal_mm.registry import MODELS
from auglocal_mm.validation import is_one_of, shown
from auglocal_mm.validation.weight_limit import WeightLimit

from .settings import check_backbone

#: Those of He et al., and depths between the last two of them.
DEPTHS = (20, 32, 44, 56, 110, 218, 434, 1202)


@MODELS.register_module()
class ResNetCIFAR(ResNet_CIFAR):
    """Narrow three-stage ResNet for 32×32 images, as the paper trains it.

    A 3×3 stem of 16 channels is followed by stages of 16, 32 and 64 channels with n
    basic blocks each. Where shapes change, shortcuts have a 1×1 convolution and batch norm.
    Images [B, 3, H, W] give one feature map [B, 64, H/4, W/4].

    Args:
        depth: 6n + 2 layers: 20, 32, 44, 56, 110, 218, 434 or 1202.
        zero_init_residual: Whether the last norm of each block starts at 0.
            The paper's networks start all norms at 1.
        **kwargs: As for mmpretrain's ``ResNet_CIFAR``.

    Raises:
        ValueError: The depth is none of these, or another setting is impossible.
    """

    arch_settings: ClassVar[dict] = {
        depth: (BasicBlock, ((depth - 2) // 6, ) * 3) for depth in DEPTHS}

    def __init__(self, depth: int, *, stem_channels: int = 16, base_channels: int = 16,
                 num_stages: int = 3, strides: tuple[int, ...] = (1, 2, 2),
                 dilations: tuple[int, ...] = (1, 1, 1), out_indices: tuple[int, ...] = (2, ),
                 zero_init_residual: bool = False, **kwargs: Any) -> None:
        if not is_one_of(depth, tuple(self.arch_settings)):
            raise ValueError(f'depth of ResNetCIFAR must be one of {DEPTHS}, got {shown(depth)}; '
                             "for 18, 34, 50, 101 and 152 use mmpretrain's ResNet_CIFAR")
        settings = dict(
            stem_channels=stem_channels, base_channels=base_channels, num_stages=num_stages,
            strides=strides, dilations=dilations, out_indices=out_indices,
            zero_init_residual=zero_init_residual, **kwargs)
        check_backbone(type(self), settings)
        with WeightLimit('ResNetCIFAR', remedy='depth, stem_channels or base_channels'):
            super().__init__(depth, **settings)
