"""Which units an auxiliary network copies, how many, and where it halves the resolution.

Section numbers refer to the AugLocal paper (ICLR 2024).
"""
from __future__ import annotations

from collections.abc import Sequence

from .unit import UnitSpec


def uniform_selection(unit: int, blocks: int, units: int) -> tuple[int, ...]:
    """Select the units that the auxiliary network of `unit` is built like (section 3.2).

    Args:
        unit: Index l of the unit, 0 ≤ l < N − 1.
        blocks: Number b of blocks wanted, at least 1.
        units: Number N of units.

    Returns:
        Increasing unit indices: all later units if at most b remain, else b units
        spread evenly up to the last, rounded half to even.
    """
    later = units - 1 - unit
    if blocks >= later:
        return tuple(range(unit + 1, units))
    # Python's round takes halves to even, as the paper's code does. Rounding them up would
    # change 12 of the 48 networks of a ResNet-110.
    return tuple(round(unit + later * j / blocks) for j in range(1, blocks + 1))


def sequential_selection(unit: int, blocks: int, units: int) -> tuple[int, ...]:
    """Select the `blocks` units right after `unit`, or as many as there are."""
    return tuple(range(unit + 1, min(unit + blocks, units - 1) + 1))


def pyramidal_blocks(blocks: int, tau: float, modules: int) -> tuple[int, ...]:
    """Return the number of blocks of each auxiliary network, first to last (section 3.3).

    The count falls linearly from b towards b(1 − τ) + τ. The published formula
    divides by K − 2; with two modules there is one auxiliary network, which
    keeps all b blocks.

    Args:
        blocks: Number b of blocks of the first one, d − 1.
        tau: Pyramidal coefficient τ in [0, 1]; 0 keeps b everywhere.
        modules: Number K of modules, including the last, which has no auxiliary network.
    """
    if modules <= 2:  # K − 2 = 0
        return (blocks,) * (modules - 1)
    counts = []
    for index in range(modules - 1):
        share = index * tau / (modules - 2)
        counts.append(max(1, round(blocks * (1 - share) + share)))
    return tuple(counts)


def downsampling_levels(units: Sequence[UnitSpec]) -> tuple[int, ...]:
    """Count the halvings of the resolution at each unit, as the stride rule does.

    ResNets double their width where they halve their resolution, and the paper
    counts the doublings. Where no width grows, or a width is not the first one
    times a power of two, the halvings themselves are counted.
    """
    first = units[0].channels
    ratios = [unit.channels // first for unit in units]
    grows = any(ratio > 1 for ratio in ratios) or not any(unit.stride > 1 for unit in units)
    # The ratios must be powers of two all along: MobileNetV2 and RegNet widen without halving.
    if grows and all(ratio * first == unit.channels and ratio & (ratio - 1) == 0
                     for ratio, unit in zip(ratios, units, strict=True)):
        return tuple(ratio.bit_length() - 1 for ratio in ratios)
    levels, level = [], 0
    for unit in units:
        level += unit.stride.bit_length() - 1
        levels.append(level)
    return tuple(levels)


def block_strides(unit: int, chosen: Sequence[int], levels: Sequence[int]) -> tuple[int, ...]:
    """Return the stride of each auxiliary block, which makes at most one halving.

    Args:
        unit: Index of the unit.
        chosen: Indices of the units the blocks are built like.
        levels: Halvings at every unit, from :func:`downsampling_levels`.

    Returns:
        1 or 2 for each block. Halvings still due after the last one are dropped.
    """
    owed, level, strides = 0, levels[unit], []
    for index in chosen:
        # A halving that no block makes yet is owed to the next one, because a block of stride 4
        # would skip most positions.
        owed += levels[index] - level
        level = levels[index]
        stride = 2 if owed >= 1 else 1
        owed -= stride - 1
        strides.append(stride)
    return tuple(strides)
