"""Plain ``nn.Sequential``: each child with weights plus the weightless ones that follow."""
from __future__ import annotations

import copy
from dataclasses import dataclass
from typing import Any

import torch
from torch import nn

from .base import InOrder, Unit, as_it_is, partition, require_forward
from .fresh import fresh_like

#: Sides of the square images that probe a network's shapes, until one fits.
PROBES = (224, 96, 64, 32)
#: Children with weights that do not form a unit of their own.
JOINING = (nn.modules.batchnorm._NormBase, nn.GroupNorm, nn.LayerNorm, nn.PReLU)


@dataclass(frozen=True)
class SequentialBlock:
    """Builds a fresh unit that starts with a Conv2d; its other parts keep their settings."""
    paths: tuple[str, ...]

    def __call__(self, backbone: Any, *, in_channels: int, out_channels: int,
                 stride: int) -> nn.Module:
        conv, *rest = (backbone.get_submodule(path) for path in self.paths)
        if out_channels != conv.out_channels or conv.groups != 1:
            raise ValueError(
                f'a block like unit {self.paths[0]} of a Sequential has {conv.out_channels} '
                f'channels and no groups, got {out_channels} channels and {conv.groups} groups; '
                "use width=1.0 or block='conv3x3' in model.local")
        like: dict[str, Any] = dict(
            kernel_size=conv.kernel_size, padding=conv.padding, dilation=conv.dilation,
            bias=conv.bias is not None, padding_mode=conv.padding_mode)
        parts = [fresh_like(part) for part in rest if not _shrinks(part)]
        return nn.Sequential(nn.Conv2d(in_channels, out_channels, stride=stride, **like), *parts)


def _shrinks(part: nn.Module) -> bool:
    """Tell whether it is a pooling, which the block's stride replaces."""
    return isinstance(part, (nn.MaxPool2d, nn.AvgPool2d))


@partition.register
def _partition_sequential(backbone: nn.Sequential) -> tuple[Unit, ...]:
    require_forward(backbone, nn.Sequential)
    groups: list[list[str]] = []
    for name, child in backbone.named_children():
        joins = isinstance(child, JOINING) or not list(child.parameters())
        if groups and joins:
            groups[-1].append(name)
        elif len(groups) == 1 and not _has_weights(backbone, groups[0]):
            groups[0].append(name)
        else:
            groups.append([name])
    if not groups or not _has_weights(backbone, groups[-1]):
        raise ValueError('a Sequential backbone needs at least one child with weights')
    units = []
    for number, (paths, channels, stride) in enumerate(_shapes(backbone, groups)):
        conv = backbone.get_submodule(paths[0])
        last = number == len(groups) - 1
        units.append(Unit(
            name=paths[0], channels=channels, stride=stride, paths=paths, forward=InOrder(paths),
            outputs=(as_it_is,) if last else (), symbol='B' if type(conv) is not nn.Conv2d
            else f'C{conv.kernel_size[0]}', granularity=channels,
            build_block=SequentialBlock(paths) if type(conv) is nn.Conv2d else None))
    return tuple(units)


def _has_weights(backbone: Any, paths: list[str]) -> bool:
    return any(list(backbone.get_submodule(path).parameters()) for path in paths)


def _shapes(backbone: nn.Sequential, groups: list[list[str]],
            ) -> list[tuple[tuple[str, ...], int, int]]:
    """Find each unit's paths, channels and stride without computing anything."""
    probe = copy.deepcopy(backbone).to('meta').eval()
    first = next((part for part in probe.modules() if isinstance(part, nn.Conv2d)), None)
    if first is None:
        raise ValueError('a Sequential backbone needs a Conv2d, got none')
    errors = []
    for side in PROBES:
        found = []
        x = torch.empty(1, first.in_channels, side, side, device='meta',
                        dtype=first.weight.dtype)
        try:
            for paths in groups:
                before = x.shape[-1]
                for path in paths:
                    x = probe.get_submodule(path)(x)
                if x.ndim != 4:
                    raise ValueError(
                        f'unit {paths[0]} of the Sequential backbone outputs {x.ndim} dimensions, '
                        'but local learning needs feature maps [B, C, H, W]; move pooling, '
                        'flattening and the classifier to the neck and the head')
                found.append((tuple(paths), x.shape[1], max(1, round(before / x.shape[-1]))))
        except RuntimeError as error:
            errors.append(f'{side}: {error}')
            continue
        return found
    raise ValueError('the shapes of the Sequential backbone cannot be determined; images of side '
                     + '; '.join(errors))
