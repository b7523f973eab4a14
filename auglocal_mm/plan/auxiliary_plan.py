"""One auxiliary network and its local loss, as data."""
from __future__ import annotations

from dataclasses import KW_ONLY, asdict, dataclass
from typing import Any

from .layers import (
    COUNTED,
    AuxiliaryLayer,
    BatchNorm,
    Block,
    Classifier,
    Conv,
    Embedding,
    HalvingPooling,
    Linear,
    TaskHead,
)


@dataclass(frozen=True)
class SecondLoss:
    """A registered loss in addition to the one at the network's end, with its weight λ1."""
    name: str
    weight: float


@dataclass(frozen=True)
class AuxiliaryPlan:
    """An auxiliary network and its local loss.

    Attributes:
        layers: The layers, from the unit's features to logits, an embedding or a task's head.
        weight: Weight λ2 of the loss at the network's end.
        second: A second loss on the unit's features.
        init: How its weights are initialised: ``'kaiming'`` (section 5 of the
            paper's appendix) or ``'pytorch'``.
    """
    layers: tuple[AuxiliaryLayer, ...]
    _: KW_ONLY
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
        """Whether it ends in class logits."""
        return isinstance(self.layers[-1], Classifier)

    @property
    def embeds(self) -> bool:
        """Whether it ends in an embedding, for a contrastive loss."""
        return isinstance(self.layers[-1], Embedding)

    @property
    def head(self) -> TaskHead | None:
        """The task's head that it ends in, if it is one."""
        last = self.layers[-1]
        return last if isinstance(last, TaskHead) else None

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
