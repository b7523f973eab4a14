"""What will be trained by what: local plans, pure data."""
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
    """A registered loss beside the classification loss, with its weight λ1."""
    name: str
    weight: float


@dataclass(frozen=True)
class AuxiliaryPlan:
    """An auxiliary network and the local loss it serves.

    Attributes:
        layers: From the local layer's features to logits or an embedding.
        weight: Weight λ2 of the loss at the network's end.
        second: A second loss on the local layer's features.
        init: How its weights start: ``'kaiming'`` (section 5 of the paper's
            appendix) or ``'pytorch'``.
    """
    layers: tuple[AuxiliaryLayer, ...]
    weight: float = 1.0
    second: SecondLoss | None = None
    init: str = 'kaiming'

    @property
    def depth(self) -> int:
        """Number of layers with weights, the classifier included (the paper's d)."""
        return sum(isinstance(layer, COUNTED) for layer in self.layers)

    @property
    def blocks(self) -> tuple[Block, ...]:
        """The blocks that are built like layers of the backbone."""
        return tuple(layer for layer in self.layers if isinstance(layer, Block))

    @property
    def classifies(self) -> bool:
        """Whether it ends in class logits, not in an embedding."""
        return isinstance(self.layers[-1], Classifier)

    @property
    def batch_norm_before_fc(self) -> bool:
        """Whether a BatchNorm1d stands before the last linear layer."""
        return any(isinstance(layer, BatchNorm) for layer in self.layers)

    @property
    def norms_vectors(self) -> bool:
        """Whether a BatchNorm1d needs training batches of two images at least."""
        return any(isinstance(layer, BatchNorm) or (isinstance(layer, Linear) and layer.norm)
                   for layer in self.layers)

    def notation(self, classes: int | None = None) -> str:
        """As the paper's appendix writes it, e.g. ``64R-AP-10FC``.

        Args:
            classes: Number of classes, where it is known.
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
        """Plain dicts, lists, numbers and strings."""
        return dict(
            notation=self.notation(), depth=self.depth,
            blocks=[asdict(block) for block in self.blocks],
            batch_norm_before_fc=self.batch_norm_before_fc,
            weight=self.weight, second=asdict(self.second) if self.second else None)

    def __str__(self) -> str:
        return self.notation()


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

    @classmethod
    def assemble(cls, layers: Sequence[LayerSpec], modules: Sequence[int],
                 auxiliaries: dict[int, AuxiliaryPlan]) -> LocalPlan:
        """A plan from each unit's module and the auxiliary networks by unit."""
        return cls(tuple(
            LayerPlan(layer.name, layer.channels, layer.stride, module, auxiliaries.get(unit))
            for unit, (layer, module) in enumerate(zip(layers, modules, strict=True))))

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
        layers = [dict(name=layer.name, channels=layer.channels, stride=layer.stride,
                       module=layer.module,
                       auxiliary=layer.auxiliary.to_dict() if layer.auxiliary else None)
                  for layer in self.layers]
        return dict(units=self.units, modules=self.modules, layers=layers)

    def describe_auxiliary(self, layer: LayerPlan, classes: int | None = None) -> str:
        """One layer's auxiliary network for a table's cell."""
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
    """The lines of a text table: header, rule, rows; the columns `right` are right-aligned."""
    widths = [max(len(row[column]) for row in (header, *rows)) for column in range(len(header))]
    lines = ['  '.join(cell.rjust(width) if column in right else cell.ljust(width)
                       for column, (cell, width) in enumerate(zip(row, widths, strict=True))
                       ).rstrip() for row in (header, *rows)]
    return [lines[0], '-' * max(map(len, lines)), *lines[1:]]
