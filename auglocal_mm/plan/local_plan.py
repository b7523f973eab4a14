"""Local plans: what trains which layer, as pure data."""
from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

from .layers import (
    COUNTED,
    AuxiliaryLayer,
    BatchNorm,
    Block,
    Classifier,
    Conv,
    HalvingPooling,
    LayerSpec,
    Linear,
)


@dataclass(frozen=True)
class SecondLoss:
    """A registered loss in addition to the classification loss, with its weight λ1."""
    name: str
    weight: float


@dataclass(frozen=True)
class AuxiliaryPlan:
    """An auxiliary network and its local loss.

    Attributes:
        layers: The layers, from the local layer's features to logits or an embedding.
        weight: Weight λ2 of the loss at the network's end.
        second: A second loss on the local layer's features.
        init: How its weights are initialised: ``'kaiming'`` (section 5 of the
            paper's appendix) or ``'pytorch'``.
    """
    layers: tuple[AuxiliaryLayer, ...]
    weight: float = 1.0
    second: SecondLoss | None = None
    init: str = 'kaiming'

    @property
    def depth(self) -> int:
        """Number of layers with weights, including the classifier (the paper's d)."""
        return sum(isinstance(layer, COUNTED) for layer in self.layers)

    @property
    def blocks(self) -> tuple[Block, ...]:
        """The blocks that are built like layers of the backbone."""
        return tuple(layer for layer in self.layers if isinstance(layer, Block))

    @property
    def classifies(self) -> bool:
        """Whether it ends in class logits rather than an embedding."""
        return isinstance(self.layers[-1], Classifier)

    @property
    def batch_norm_before_fc(self) -> bool:
        """Whether a BatchNorm1d comes before the last linear layer."""
        return any(isinstance(layer, BatchNorm) for layer in self.layers)

    @property
    def norms_vectors(self) -> bool:
        """Whether a BatchNorm1d needs training batches of at least two images."""
        return any(isinstance(layer, BatchNorm) or (isinstance(layer, Linear) and layer.norm)
                   for layer in self.layers)

    def notation(self, classes: int | None = None) -> str:
        """Return the notation of the paper's appendix, e.g. ``64R-AP-10FC``.

        Args:
            classes: Number of classes, if known.
        """
        return '-'.join(f'{classes or ""}FC' if isinstance(layer, Classifier) else str(layer)
                        for layer in self.layers if not isinstance(layer, BatchNorm))

    @property
    def strides(self) -> tuple[int, ...]:
        """Stride of every block and convolution."""
        strides, owed = [], 1
        for layer in self.layers:
            if isinstance(layer, HalvingPooling):
                owed *= 2
            elif isinstance(layer, (Block, Conv)):
                strides.append(owed * layer.stride)
                owed = 1
        return tuple(strides)

    def to_dict(self) -> dict[str, Any]:
        """Return plain dicts, lists, numbers and strings."""
        return dict(
            notation=self.notation(), depth=self.depth,
            blocks=[asdict(block) for block in self.blocks],
            batch_norm_before_fc=self.batch_norm_before_fc,
            weight=self.weight, second=asdict(self.second) if self.second else None)

    def __str__(self) -> str:
        return self.notation()


@dataclass(frozen=True)
class LayerPlan:
    """One local layer: its module, and its auxiliary network if it ends a module."""
    name: str
    channels: int
    stride: int
    module: int
    auxiliary: AuxiliaryPlan | None = None


@dataclass(frozen=True)
class LocalPlan:
    """The whole plan: every local layer in the order of the forward pass."""
    layers: tuple[LayerPlan, ...]

    @classmethod
    def assemble(cls, layers: Sequence[LayerSpec], modules: Sequence[int],
                 auxiliaries: dict[int, AuxiliaryPlan]) -> LocalPlan:
        """Assemble a plan from each unit's module and the auxiliary networks by unit."""
        return cls(tuple(
            LayerPlan(layer.name, layer.channels, layer.stride, module, auxiliaries.get(unit))
            for unit, (layer, module) in enumerate(zip(layers, modules, strict=True))))

    @property
    def units(self) -> int:
        """Number of local layers (N)."""
        return len(self.layers)

    @property
    def modules(self) -> int:
        """Number of local modules (K), including the last one with the real head."""
        return self.layers[-1].module + 1

    def to_dict(self) -> dict[str, Any]:
        """Return plain dicts, lists and numbers, as ``show_plan.py --json`` prints them."""
        layers = [dict(name=layer.name, channels=layer.channels, stride=layer.stride,
                       module=layer.module,
                       auxiliary=layer.auxiliary.to_dict() if layer.auxiliary else None)
                  for layer in self.layers]
        return dict(units=self.units, modules=self.modules, layers=layers)

    def describe_auxiliary(self, layer: LayerPlan, classes: int | None = None) -> str:
        """Describe one layer's auxiliary network for a table cell."""
        if layer.auxiliary is not None:
            plan = layer.auxiliary
            norm = ' (BN)' if plan.batch_norm_before_fc else ''
            second = f' + {plan.second.name}' if plan.second else ''
            return plan.notation(classes) + norm + second
        if layer is self.layers[-1]:
            return '(the head)'
        return '' if layer.module == self.modules - 1 else '-'

    def __str__(self) -> str:
        header = ('unit', 'channels', 'stride', 'module', 'auxiliary network', 'strides')
        rows = [(layer.name, str(layer.channels), str(layer.stride), str(layer.module),
                 self.describe_auxiliary(layer),
                 ' '.join(map(str, layer.auxiliary.strides)) if layer.auxiliary else '')
                for layer in self.layers]
        noun = 'module' if self.modules == 1 else 'modules'
        title = f'{self.units} units in {self.modules} local {noun}'
        return '\n'.join([title, *table_lines(header, rows)])


def table_lines(header: Sequence[str], rows: Sequence[Sequence[str]], *,
                right: Sequence[int] = ()) -> list[str]:
    """Return a text table's lines: header, rule, rows; columns in `right` are right-aligned."""
    widths = [max(len(row[column]) for row in (header, *rows)) for column in range(len(header))]
    lines = ['  '.join(cell.rjust(width) if column in right else cell.ljust(width)
                       for column, (cell, width) in enumerate(zip(row, widths, strict=True))
                       ).rstrip() for row in (header, *rows)]
    return [lines[0], '-' * max(map(len, lines)), *lines[1:]]
