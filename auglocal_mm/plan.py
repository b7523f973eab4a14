"""What will be trained by what: local plans, pure data computed from integers.

A plan is decided before any network is built. It can be printed, compared and
tested without a tensor; this module imports neither torch nor the rest of the
package. Section numbers refer to the AugLocal paper (ICLR 2024).
"""
from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any


@dataclass(frozen=True)
class LayerSpec:
    """The shape of one local layer.

    Attributes:
        name: Dotted path of the layer in its backbone, e.g. ``layer1.0``.
        channels: Channels of the layer's output.
        stride: Factor by which the layer shrinks each side of its input.
        trainable: Whether any of its parameters is to be trained.
    """
    name: str
    channels: int
    stride: int
    trainable: bool = True


@dataclass(frozen=True)
class BlockPlan:
    """One block of an auxiliary network, built like the local layer `source`."""
    source: str
    channels: int
    stride: int


@dataclass(frozen=True)
class AuxiliaryPlan:
    """An auxiliary network: its blocks, then pooling and the classifier."""
    blocks: tuple[BlockPlan, ...]
    batch_norm_before_fc: bool = False

    @property
    def depth(self) -> int:
        """Number of layers, the classifier included (the paper's d)."""
        return len(self.blocks) + 1

    def __str__(self) -> str:
        blocks = [f'{b.channels}' + (f'/{b.stride}' if b.stride > 1 else '') for b in self.blocks]
        return '-'.join([*blocks, 'AP', *(['BN'] if self.batch_norm_before_fc else []), 'FC'])


@dataclass(frozen=True)
class LayerPlan:
    """One local layer's place: its module, and its auxiliary network if it ends one."""
    name: str
    channels: int
    stride: int
    module: int
    auxiliary: AuxiliaryPlan | None = None


@dataclass(frozen=True)
class LocalPlan:
    """The whole decision: every local layer in the order of the forward pass."""
    layers: tuple[LayerPlan, ...]

    @property
    def units(self) -> int:
        """Number of local layers (N)."""
        return len(self.layers)

    @property
    def modules(self) -> int:
        """Number of local modules (K), the last one with the real head included."""
        return self.layers[-1].module + 1

    def to_dict(self) -> dict[str, Any]:
        """Plain dicts, lists and numbers, as ``show_plan.py --json`` prints them."""
        layers = []
        for layer in self.layers:
            entry = asdict(layer)
            if layer.auxiliary is not None:
                entry['auxiliary'] = {'depth': layer.auxiliary.depth, **entry['auxiliary']}
            layers.append(entry)
        return dict(units=self.units, modules=self.modules, layers=layers)

    def __str__(self) -> str:
        header = ('unit', 'channels', 'stride', 'module', 'auxiliary network')
        rows = [header]
        for layer in self.layers:
            last = layer.module == self.modules - 1
            auxiliary = layer.auxiliary or ('(the head)' if layer is self.layers[-1] else
                                            '' if last else '-')
            rows.append((layer.name, str(layer.channels), str(layer.stride), str(layer.module),
                         str(auxiliary)))
        widths = [max(len(row[column]) for row in rows) for column in range(len(header))]
        lines = ['  '.join(cell.ljust(width) for cell, width in
                           zip(row, widths, strict=True)).rstrip() for row in rows]
        title = f'{self.units} units in {self.modules} local modules'
        return '\n'.join([title, lines[0], '-' * max(map(len, lines)), *lines[1:]])


def uniform_selection(unit: int, blocks: int, units: int) -> tuple[int, ...]:
    """Units that the auxiliary network of `unit` is built like (section 3.2).

    Args:
        unit: Index l of the local layer, 0 ≤ l < N − 1.
        blocks: Number b of blocks wanted, at least 1.
        units: Number N of local layers.

    Returns:
        Increasing unit indices: all later ones where fewer than b + 1 remain,
        else the b units spread evenly up to the last, rounded half to even.
    """
    later = units - 1 - unit
    if blocks >= later:
        return tuple(range(unit + 1, units))
    return tuple(round(unit + later * j / blocks) for j in range(1, blocks + 1))


def pyramidal_blocks(blocks: int, tau: float, modules: int) -> tuple[int, ...]:
    """Blocks of each auxiliary network, first to last (section 3.3).

    The count falls linearly from b towards b(1 − τ) + τ. The published formula
    divides by K − 2; with two modules there is one auxiliary network and it
    keeps all b blocks.

    Args:
        blocks: Number b of blocks of the first one, d − 1.
        tau: Pyramidal coefficient τ in [0, 1]; 0 keeps b everywhere.
        modules: Number K of modules, the last, which has no auxiliary, included.
    """
    if modules <= 2:
        return (blocks,) * (modules - 1)
    counts = []
    for index in range(modules - 1):
        share = index * tau / (modules - 2)
        counts.append(max(1, round(blocks * (1 - share) + share)))
    return tuple(counts)


def downsampling_levels(layers: Sequence[LayerSpec]) -> tuple[int, ...]:
    """How often resolution has been halved at each unit, as the stride rule counts.

    ResNets double their width where they halve their resolution, and the paper
    counts the doublings. Where a width is not the first one times a power of
    two, the halvings themselves are counted.
    """
    first = layers[0].channels
    ratios = [layer.channels // first for layer in layers]
    if all(ratio * first == layer.channels and ratio & (ratio - 1) == 0
           for ratio, layer in zip(ratios, layers, strict=True)):
        return tuple(ratio.bit_length() - 1 for ratio in ratios)
    levels, level = [], 0
    for layer in layers:
        level += layer.stride.bit_length() - 1
        levels.append(level)
    return tuple(levels)


def block_strides(unit: int, chosen: Sequence[int], levels: Sequence[int]) -> tuple[int, ...]:
    """Stride of each auxiliary block: owed halvings are paid one a block.

    Args:
        unit: Index of the local layer.
        chosen: Indices of the units the blocks are built like.
        levels: Halvings at every unit, of :func:`downsampling_levels`.

    Returns:
        1 or 2 for each block. What is still owed after the last one is dropped.
    """
    owed, level, strides = 0, levels[unit], []
    for index in chosen:
        owed += levels[index] - level
        level = levels[index]
        stride = 2 if owed >= 1 else 1
        owed -= stride - 1
        strides.append(stride)
    return tuple(strides)


def isolated_modules(units: int, blocks: int) -> tuple[int, ...]:
    """Module of each unit: one unit each, the last b + 1 units together.

    Section 4.1: the units that an auxiliary network of b blocks would only
    repeat are trained end to end with the real head, so K = N − b.
    """
    return tuple(min(unit, units - blocks - 1) for unit in range(units))


def even_modules(units: int, modules: int) -> tuple[int, ...]:
    """Module of each unit: K runs whose lengths differ by one at most, longer ones last."""
    bounds = [index * units // modules for index in range(modules + 1)]
    return tuple(module for module in range(modules)
                 for _ in range(bounds[module], bounds[module + 1]))
