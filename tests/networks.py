"""Small networks of every supported family, and how to walk through each by hand.

Nothing here uses the package's partition: units are found by each family's own
attribute names, so that the tests compare two descriptions.
"""
from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from mmengine.registry import MODELS, DefaultScope
from mmpretrain.models.backbones import EfficientNet, ResNet, vgg
from mmpretrain.models.utils import resize_pos_embed
from torch import nn

from auglocal_mm.models.backbones import MobileNetV2CIFAR

SLIM = {'stem_channels': 4, 'base_channels': 4}
BN = {'type': 'BN'}


@dataclass(frozen=True)
class Network:
    """A backbone's config, its features for a linear head, and its walk.

    Attributes:
        cfg: Config, or a function that makes the module.
        features: Values of a vector before the classifier.
        walk: ``walk(backbone)`` -> units as (name, function), and a function from the
            last unit's output to the vector.
        pooled: Whether a global pooling neck stands before the head.
        frozen: Settings that freeze the first stage or so.
        side: Side of test images.
        twin: Whether it is built by `slim_twins`.
    """
    cfg: dict[str, Any] | Callable[[], nn.Module]
    features: int
    walk: Callable[[nn.Module], tuple[list[tuple[str, Callable]], Callable]]
    pooled: bool = True
    frozen: dict[str, Any] | None = None
    side: int = 32
    twin: bool = False

    def build(self, **more: Any) -> nn.Module:
        if not isinstance(self.cfg, dict):
            return self.cfg()
        with DefaultScope.overwrite_default_scope('mmpretrain'), (
                slim_twins() if self.twin else nullcontext()):
            return MODELS.build({**self.cfg, **more})


@contextmanager
def slim_twins() -> Iterator[None]:
    """Build networks whose widths or depths no setting changes with fewer channels and blocks.

    Every kind of block stays, and two of a kind in a row. VGGs have an eighth of their channels,
    EfficientNet-B0 a quarter.
    """
    original = vgg.make_vgg_layer

    def narrow(in_channels: int, out_channels: int, *settings: Any, **named: Any) -> list:
        images = in_channels == 3
        return original(3 if images else in_channels // 8, out_channels // 8, *settings, **named)

    def narrow_linear(inputs: int, outputs: int) -> nn.Linear:
        return nn.Linear(inputs // 8, outputs // 8 if outputs == 4096 else outputs)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(vgg, 'make_vgg_layer', narrow)
        patch.setattr(vgg, 'nn', SimpleNamespace(**{**vars(nn), 'Linear': narrow_linear}))
        patch.setitem(EfficientNet.arch_settings, 'b0', (0.25, 0.5, 224))
        patch.setitem(ResNet.arch_settings, 50, (ResNet.arch_settings[50][0], (1, 2, 2, 1)))
        patch.setattr(MobileNetV2CIFAR, 'arch_settings', [
            [expansion, channels, min(blocks, 2), stride]
            for expansion, channels, blocks, stride in MobileNetV2CIFAR.arch_settings])
        yield


def _average(x: torch.Tensor) -> torch.Tensor:
    return x.mean((2, 3))


def _then(*functions: Callable) -> Callable:
    def run(x):
        for function in functions:
            x = function(x)
        return x
    return run


def walk_resnet(net):
    stem = [net.stem] if net.deep_stem else [net.conv1, net.norm1, net.relu]
    if hasattr(net, 'maxpool'):
        stem.append(net.maxpool)
    return [('stem', _then(*stem))] + [
        (f'{stage}.{i}', block) for stage in net.res_layers
        for i, block in enumerate(getattr(net, stage))], _average


def walk_vgg(net):
    units = []
    for i, part in enumerate(net.features):
        if isinstance(part, nn.MaxPool2d):
            name, conv = units.pop()
            units.append((name, _then(conv, part)))
        else:
            units.append((f'features.{i}', part))
    return units, _average


def walk_mobilenet(net):
    units = [('stem', net.conv1)]
    for stage in range(1, 8):
        units += [(f'layer{stage}.{i}', b) for i, b in enumerate(getattr(net, f'layer{stage}'))]
    return [*units, ('conv2', net.conv2)], _average


def walk_efficientnet(net):
    stem, *stages, final = net.layers
    return [('stem', stem)] + [
        (f'layers.{s + 1}.{i}', block) for s, stage in enumerate(stages)
        for i, block in enumerate(stage)], _then(final, _average)


def walk_convnext(net):
    units = [('stem', net.downsample_layers[0])]
    for s, stage in enumerate(net.stages):
        for i, block in enumerate(stage):
            whole = _then(net.downsample_layers[s], block) if s and not i else block
            units.append((f'stages.{s}.{i}', whole))
    return units, lambda x: net.norm3(x.mean((2, 3), keepdim=True)).flatten(1)


def walk_transformer(net):
    def embed(images):
        x, size = net.patch_embed(images)
        x = torch.cat([net.cls_token.repeat(len(x), 1, 1), x], dim=1)
        return net.pre_norm(net.drop_after_pos(x + resize_pos_embed(
            net.pos_embed, net.patch_resolution, size, mode='bicubic', num_extra_tokens=1)))
    return [('stem', embed)] + [(f'layers.{i}', layer) for i, layer in enumerate(net.layers)], (
        lambda x: net.ln1(x)[:, 0])


def walk_swin(net):
    def on(part):
        def run(x):
            side = math.isqrt(x.shape[1])
            y = part(x, (side, side))
            return y[0] if isinstance(y, tuple) else y
        return run

    units, merging = [('stem', lambda images: net.patch_embed(images)[0])], []
    for s, stage in enumerate(net.stages):
        for i, block in enumerate(stage.blocks):
            units.append((f'stages.{s}.blocks.{i}', _then(*map(on, [*merging, block]))))
            merging = []
        merging = [stage.downsample]
    return units, lambda x: net.norm3(x).mean(1)


def sequential() -> nn.Sequential:
    torch.manual_seed(0)
    return nn.Sequential(
        nn.Conv2d(3, 6, 3, padding=1), nn.BatchNorm2d(6), nn.ReLU(),
        nn.Conv2d(6, 8, 3, padding=1, bias=False), nn.BatchNorm2d(8), nn.ReLU(), nn.MaxPool2d(2),
        nn.Conv2d(8, 8, 3, padding=1), nn.ReLU(),
        nn.Conv2d(8, 12, 3, stride=2, padding=1), nn.BatchNorm2d(12), nn.ReLU(),
        nn.Conv2d(12, 12, 3, padding=1), nn.ReLU())


def walk_sequential(net):
    return [(str(a), net[a:b]) for a, b in ((0, 3), (3, 7), (7, 9), (9, 12), (12, 14))], _average


NETWORKS = {
    'CIFAR ResNet-20': Network({'type': 'auglocal_mm.ResNetCIFAR', 'depth': 20, **SLIM}, 16,
                               walk_resnet, frozen={'frozen_stages': 1}, side=16),
    'ResNet-18': Network({'type': 'ResNet', 'depth': 18, **SLIM}, 32, walk_resnet,
                         frozen={'frozen_stages': 1}),
    'ResNet-50': Network({'type': 'ResNet', 'depth': 50, 'stem_channels': 4, 'base_channels': 2},
                         64, walk_resnet, frozen={'frozen_stages': 1}, twin=True),
    'ResNetV1d-50': Network({'type': 'ResNetV1d', 'depth': 50, 'stem_channels': 4,
                             'base_channels': 2}, 64, walk_resnet,
                            frozen={'frozen_stages': 1}, twin=True),
    'VGG11': Network({'type': 'VGG', 'depth': 11, 'norm_cfg': BN}, 64, walk_vgg,
                     frozen={'frozen_stages': 2}, twin=True),
    'MobileNetV2': Network({'type': 'auglocal_mm.MobileNetV2CIFAR', 'widen_factor': 0.25}, 1280,
                           walk_mobilenet, frozen={'frozen_stages': 2}, side=16, twin=True),
    'EfficientNet': Network({'type': 'auglocal_mm.EfficientNetCIFAR'}, 320, walk_efficientnet,
                            frozen={'frozen_stages': 3}, side=16, twin=True),
    'RegNet': Network({'type': 'auglocal_mm.RegNetCIFAR', 'arch': {
        'w0': 8, 'wa': 4.0, 'wm': 1.6, 'group_w': 4, 'depth': 8, 'bot_mul': 1.0}}, 32,
        walk_resnet, frozen={'frozen_stages': 1}, side=16),
    'VisionTransformer': Network({'type': 'VisionTransformer', 'img_size': 32, 'patch_size': 8,
                                  'arch': {'embed_dims': 12, 'num_layers': 6, 'num_heads': 2,
                                           'feedforward_channels': 24}}, 12,
                                 walk_transformer, pooled=False, frozen={'frozen_stages': 1}),
    'SwinTransformer': Network({'type': 'SwinTransformer', 'window_size': 2, 'pad_small_map': True,
                                'drop_path_rate': 0.0, 'arch': {
                                    'embed_dims': 4, 'depths': (1, 2, 2, 1),
                                    'num_heads': (1, 2, 2, 4)}}, 32, walk_swin,
                               frozen={'frozen_stages': 0}),
    'ConvNeXt': Network({'type': 'ConvNeXt', 'arch': {'depths': [1, 2, 2, 1],
                                                      'channels': [4, 8, 16, 32]}}, 32,
                        walk_convnext, pooled=False, frozen={'frozen_stages': 1}),
    'Sequential': Network(sequential, 12, walk_sequential, side=16),
}
