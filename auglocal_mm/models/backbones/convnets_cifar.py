"""The paper's ConvNets for 32×32 images: mmpretrain's own, with fewer halvings (Table 3)."""
from __future__ import annotations

import copy
from typing import Any, ClassVar

from mmpretrain.models.backbones import EfficientNet, MobileNetV2, RegNet

from auglocal_mm.registry import MODELS
from auglocal_mm.validation.weight_limit import WeightLimit

from .settings import check_backbone


@MODELS.register_module()
class MobileNetV2CIFAR(MobileNetV2):
    """MobileNetV2 whose stem and second stage keep the resolution.

    Images [B, 3, H, W] give [B, 1280, H/8, W/8]; 19 units.

    Args:
        **kwargs: As for mmpretrain's ``MobileNetV2``.
    """

    arch_settings: ClassVar[list] = [
        [*settings[:3], 1 if stage == 1 else settings[3]]
        for stage, settings in enumerate(MobileNetV2.arch_settings)]

    def __init__(self, **kwargs: Any) -> None:
        check_backbone(type(self), kwargs)
        with WeightLimit('MobileNetV2CIFAR', remedy='widen_factor'):
            super().__init__(**kwargs)
        # mmpretrain's stem has no setting for its stride.
        self.conv1.conv.stride = (1, 1)


@MODELS.register_module()
class EfficientNetCIFAR(EfficientNet):
    """EfficientNet whose stem keeps the resolution.

    Images [B, 3, H, W] give [B, 1280, H/16, W/16] for B0; 17 units.

    Args:
        **kwargs: As for mmpretrain's ``EfficientNet``.
    """

    layer_settings: ClassVar[dict] = copy.deepcopy(EfficientNet.layer_settings)
    for _layers in layer_settings.values():
        # The first entry is the stem; its fourth value is the stride.
        _layers[0][0][3] = 1
    del _layers  # or it would be an attribute of the class

    def __init__(self, **kwargs: Any) -> None:
        check_backbone(type(self), kwargs)
        super().__init__(**kwargs)


@MODELS.register_module()
class RegNetCIFAR(RegNet):
    """RegNet whose stem and first two stages keep the resolution.

    Images [B, 3, H, W] give [B, 384, H/4, W/4] for ``regnetx_400mf``; 23 units.

    Args:
        arch: As for mmpretrain's ``RegNet``.
        strides: Stride of each stage.
        zero_init_residual: Whether the last norm of each block starts at 0; the
            paper's networks start all norms at 1.
        init_cfg: Kaiming initialisation of convolutions; mmpretrain's network has none.
        **kwargs: As for mmpretrain's ``RegNet``.
    """

    def __init__(self, arch: str | dict = 'regnetx_400mf', *,
                 strides: tuple[int, ...] = (1, 1, 2, 2), zero_init_residual: bool = False,
                 init_cfg: Any = (dict(type='Kaiming', layer=['Conv2d']),
                                  dict(type='Constant', val=1, layer=['_BatchNorm'])),
                 **kwargs: Any) -> None:
        settings = dict(strides=strides, zero_init_residual=zero_init_residual,
                        init_cfg=init_cfg, **kwargs)
        check_backbone(type(self), {'arch': arch, **settings})
        with WeightLimit('RegNetCIFAR', remedy='the depth or the widths of arch'):
            super().__init__(arch, **{**settings, 'init_cfg': copy.deepcopy(init_cfg)})

    def _make_stem_layer(self, in_channels: int, base_channels: int) -> None:
        super()._make_stem_layer(in_channels, base_channels)
        # Here, too, the stride is fixed.
        self.conv1.stride = (1, 1)
