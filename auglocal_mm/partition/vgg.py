"""VGG: every convolution with its norm and activation; a pooling joins the unit before it."""
from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from mmcv.cnn import ConvModule
from mmpretrain.models.backbones import VGG
from torch import Tensor, nn

from .base import InOrder, Unit, as_it_is, partition, require_forward


@dataclass(frozen=True)
class VGGBlock:
    """Builds a convolution like the one at `path`, after a 2×2 max pooling for stride 2."""
    path: str

    def __call__(self, backbone: Any, *, in_channels: int, out_channels: int,
                 stride: int) -> nn.Module:
        like = backbone.get_submodule(self.path)
        conv = ConvModule(
            in_channels, out_channels, like.conv.kernel_size, padding=like.conv.padding,
            dilation=like.conv.dilation, bias=like.conv.bias is not None,
            conv_cfg=like.conv_cfg, norm_cfg=like.norm_cfg, act_cfg=like.act_cfg)
        # ceil_mode: a map with a single row or column stays one.
        return conv if stride == 1 else nn.Sequential(nn.MaxPool2d(2, ceil_mode=True), conv)


def _classify(backbone: Any, y: Tensor) -> Tensor:
    return backbone.classifier(y.flatten(1))


@partition.register
def _partition_vgg(backbone: VGG) -> tuple[Unit, ...]:
    require_forward(backbone, VGG)
    units: list[Unit] = []
    features = backbone.get_submodule(backbone.module_name)
    for stage, (start, end) in enumerate(backbone.range_sub_modules):
        convs = [index for index in range(start, end) if isinstance(features[index], ConvModule)]
        for index, following in zip(convs, [*convs[1:], end], strict=True):
            path = f'{backbone.module_name}.{index}'
            applied = tuple(f'{backbone.module_name}.{part}' for part in range(index, following))
            outputs = [as_it_is] if following == end and stage in backbone.out_indices else []
            last = following == end and stage == len(backbone.range_sub_modules) - 1
            # With classes, the backbone itself flattens and classifies; that belongs to its end.
            head = last and backbone.num_classes > 0
            units.append(Unit(
                name=path, channels=features[index].out_channels,
                stride=2 if len(applied) > 1 else 1,
                paths=(path, 'classifier') if head else (path,), forward=InOrder(applied),
                outputs=(*outputs, _classify) if head else tuple(outputs),
                build_block=VGGBlock(path), stage=stage + 1, symbol='C3',
                halves_with_width=True))
    return tuple(units)
