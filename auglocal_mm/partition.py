"""Backbone -> ordered local layers, by class.

A partition lists callables that, chained, are the backbone's own forward pass.
It holds no module: every callable finds the modules it applies by their dotted
path in the backbone it is given, so a copied model (EMA) or one whose
normalisation was exchanged (SyncBN) keeps working.
"""
from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import singledispatch
from typing import Protocol

from mmpretrain.models.backbones import ResNet, ResNet_CIFAR
from torch import Tensor, nn

from .plan import LayerSpec


class BlockFactory(Protocol):
    """Builds a fresh block like a local layer, for other input channels and stride."""

    def __call__(self, backbone: nn.Module, *, in_channels: int, stride: int) -> nn.Module:
        ...


@dataclass(frozen=True)
class LocalLayer:
    """The smallest part of a backbone that is trained by itself (a unit).

    Attributes:
        name: Dotted path, or ``stem``.
        channels: Channels of its output.
        stride: Factor by which it shrinks each side of its input.
        paths: Dotted paths of the modules that hold its parameters.
        forward: ``forward(backbone, x) -> y``, x [B, C, H, W] -> y [B, C', H', W'].
        emits: Whether the backbone's forward returns y among its outputs.
        build_block: Builds an auxiliary block like this layer; ``None`` where
            none can be, as for a stem.
    """
    name: str
    channels: int
    stride: int
    paths: tuple[str, ...]
    forward: Callable[[nn.Module, Tensor], Tensor]
    emits: bool = False
    build_block: BlockFactory | None = None

    def parameters(self, backbone: nn.Module) -> list[nn.Parameter]:
        """The layer's parameters in `backbone`."""
        return [parameter for path in self.paths
                for parameter in backbone.get_submodule(path).parameters()]

    def spec(self, backbone: nn.Module) -> LayerSpec:
        """The layer's shape, for planning."""
        trainable = any(parameter.requires_grad for parameter in self.parameters(backbone))
        return LayerSpec(self.name, self.channels, self.stride, trainable)


@dataclass(frozen=True)
class Chain:
    """Applies the modules at these dotted paths one after the other."""
    paths: tuple[str, ...]

    def __call__(self, backbone: nn.Module, x: Tensor) -> Tensor:
        for path in self.paths:
            x = backbone.get_submodule(path)(x)
        return x


def forward_layers(layers: Sequence[LocalLayer], backbone: nn.Module, x: Tensor,
                   ) -> tuple[Tensor, list[Tensor]]:
    """Run consecutive local layers.

    Returns:
        The last layer's output, and the outputs that the backbone's own forward
        would return.
    """
    outputs = []
    for layer in layers:
        x = layer.forward(backbone, x)
        if layer.emits:
            outputs.append(x)
    return x, outputs


def join(layers: Sequence[LocalLayer], backbone: nn.Module) -> Callable[[Tensor], tuple]:
    """The inverse of :func:`partition`: one callable that equals ``backbone.forward``."""
    return lambda x: tuple(forward_layers(layers, backbone, x)[1])


@singledispatch
def partition(backbone: nn.Module) -> tuple[LocalLayer, ...]:
    """Cut a backbone into its local layers, in the order of the forward pass.

    Another family is added by registering a function for its class::

        @partition.register
        def _(backbone: MyBackbone) -> tuple[LocalLayer, ...]: ...

    Raises:
        TypeError: No function is registered for the backbone's class, or the
            class has a forward pass of its own that the function does not know.
    """
    raise _unsupported(backbone)


def _unsupported(backbone: nn.Module) -> TypeError:
    classes = sorted(cls.__name__ for cls in partition.registry if cls is not object)
    return TypeError(
        f'local learning does not know how to cut {type(backbone).__name__} into local layers; '
        f'supported are {", ".join(classes)} and what inherits their stages and forward. Register '
        'yours with @auglocal_mm.partition.partition.register, a function that returns its '
        'LocalLayers')


@dataclass(frozen=True)
class ResNetBlock:
    """Builds a residual block of the backbone's own kind and settings."""
    channels: int
    dilation: int

    def __call__(self, backbone: nn.Module, *, in_channels: int, stride: int) -> nn.Module:
        # The backbone's own factory knows what its family adds to a block
        # (groups of ResNeXt, squeeze ratio of SE-ResNet, ...).
        stage = backbone.make_res_layer(  # type: ignore[operator]
            block=backbone.block, num_blocks=1, in_channels=in_channels,
            out_channels=self.channels, expansion=backbone.expansion, stride=stride,
            dilation=self.dilation, style=backbone.style, avg_down=backbone.avg_down,
            with_cp=False, conv_cfg=backbone.conv_cfg, norm_cfg=backbone.norm_cfg,
            drop_path_rate=0.0)
        return stage[0]


@partition.register
def _partition_resnet(backbone: ResNet) -> tuple[LocalLayer, ...]:
    if type(backbone).forward not in (ResNet.forward, ResNet_CIFAR.forward):
        raise _unsupported(backbone)
    layers = [_resnet_stem(backbone)]
    for index, stage in enumerate(backbone.res_layers):
        blocks = backbone.get_submodule(stage)
        for number, block in enumerate(blocks.children()):
            path = f'{stage}.{number}'
            layers.append(LocalLayer(
                name=path,
                channels=block.out_channels,
                stride=block.stride,
                paths=(path,),
                forward=Chain((path,)),
                emits=index in backbone.out_indices and number == len(blocks) - 1,
                build_block=ResNetBlock(block.out_channels, backbone.dilations[index])))
    return tuple(layers)


def _resnet_stem(backbone: ResNet) -> LocalLayer:
    owners: tuple[str, ...]
    paths: tuple[str, ...]
    if backbone.deep_stem:
        owners, paths, stride = ('stem',), ('stem',), 2
    else:
        owners = ('conv1', backbone.norm1_name)
        paths, stride = (*owners, 'relu'), backbone.conv1.stride[0]
    if type(backbone).forward is ResNet.forward:
        paths, stride = (*paths, 'maxpool'), stride * backbone.maxpool.stride
    return LocalLayer('stem', backbone.stem_channels, stride, owners, Chain(paths))
