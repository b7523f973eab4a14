"""Auxiliary networks that keep a map, for tasks that predict at every position."""
from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from .layers import AuxiliaryLayer, Block, Conv
from .unit import UnitSpec

#: Strides and widths of dense networks, unless a task sets others: a map of 8 pixels a position
#: still separates small objects, and 256 channels are what detection heads work with.
DENSE_STRIDE, DENSE_CHANNELS = 8, 256


def dense_layers(layers: Sequence[AuxiliaryLayer], units: Mapping[str, UnitSpec], *, stride: int,
                 until: int = DENSE_STRIDE, max_channels: int = DENSE_CHANNELS,
                 ) -> tuple[tuple[AuxiliaryLayer, ...], int]:
    """Turn a network that classifies images into one that ends in a feature map.

    Its blocks and convolutions stay, in their order. Each of the first ones halves the
    resolution until a position covers `until` pixels, and none does so after that. What
    pools to a vector goes, with everything after it.

    Args:
        layers: The network that a rule has planned.
        units: All units by name.
        stride: Pixels between two positions of the features that it reads.
        until: Pixels between two positions at which halving ends.
        max_channels: Largest width, as far as a block's granularity allows.

    Returns:
        The layers, and the pixels between two positions of their map.
    """
    dense: list[AuxiliaryLayer] = []
    for layer in layers:
        if not isinstance(layer, (Block, Conv)):
            continue
        if isinstance(layer, Block):
            layer = _narrow(layer, units, max_channels)
        grain = units[layer.source].granularity if isinstance(layer, Block) else 1
        widest = max(grain, max_channels // grain * grain)
        step = 2 if stride < until else 1
        dense.append(replace(layer, channels=min(layer.channels, widest), stride=step))
        stride *= step
    return tuple(dense), stride


def _narrow(block: Block, units: Mapping[str, UnitSpec], max_channels: int) -> Block:
    """Return a block like the widest unit of its kind that fits, if its own unit's cannot."""
    # Some blocks have the width of their unit and no other (ConvNeXt).
    if units[block.source].granularity <= max_channels:
        return block
    fitting = [unit for unit in units.values() if unit.repeatable
               and unit.symbol == block.symbol and unit.granularity <= max_channels]
    if not fitting:
        return block
    widest = max(fitting, key=lambda unit: unit.channels)
    return replace(block, source=widest.name, channels=widest.channels)


def strides_after(units: Sequence[UnitSpec]) -> tuple[int, ...]:
    """Return the pixels between two positions of each unit's features."""
    strides, total = [], 1
    for unit in units:
        total *= unit.stride
        strides.append(total)
    return tuple(strides)
