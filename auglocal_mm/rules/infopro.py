"""InfoPro: information propagation (Wang et al., 2021)."""
from __future__ import annotations

from collections.abc import Sequence

from auglocal_mm.plan import (
    AuxiliaryLayer,
    AuxiliaryPlan,
    Classifier,
    Conv,
    Embedding,
    GlobalPooling,
    Linear,
    UnitSpec,
    linear_weights,
)
from auglocal_mm.registry import LOCAL_RULES
from auglocal_mm.validation import Faults, check_choice

from .base import LocalRule, Modules
from .settings import (
    check_balance,
    check_depth,
    check_kernel_size,
    check_lambda,
    check_modules,
    check_width,
    scaled,
    second_losses,
)

#: Size of the hidden linear layer and of a contrastive embedding.
HIDDEN = 128


@LOCAL_RULES.register_module()
class InfoPro(LocalRule):
    """Each unit learns classes and keeps what is needed to reconstruct the image.

    A 3×3 convolution to twice the channels and half the side (unchanged in the last
    stage), global pooling, a hidden linear layer of 128 values, and a classifier
    or an embedding; in addition, reconstruction (section 4 of the appendix).

    Args:
        loss: ``'softmax'``, the head's own loss, or ``'contrast'``, a
            supervised contrastive loss of temperature 0.07.
        lambda1: Weight of reconstruction, (first module, last one). The paper
            uses (5, 0.5) for ResNet-110 and (5, 0.2) for ResNet-32.
        lambda2: Weight of `loss`, (first module, last one). The paper uses (0, 1)
            and (0.05, 0.5).
        depth: Number of layers in each auxiliary network, including the last linear
            one. The paper's has 3; 2 leaves out the hidden linear layer, larger
            depths add convolutions (Table 4).
        kernel_size: Side of the convolutions' kernels.
        width: Factor on their channels (Table 4).
        modules: Where modules end: a number K of them, ``'stages'``, names of units, or
            ``None`` for one module per unit.
        balance: See :attr:`LocalRule.balance`; for a number of `modules`.

    Raises:
        ValueError: A value out of its bound; all faults are listed.
    """

    def __init__(self, loss: str = 'softmax', lambda1: Sequence[float] = (5.0, 0.5),
                 lambda2: Sequence[float] = (0.0, 1.0), depth: int = 3, kernel_size: int = 3,
                 width: float = 1.0, modules: Modules = None, balance: str = 'units') -> None:
        faults = Faults('InfoPro')
        check_choice(faults, 'loss', loss, ('softmax', 'contrast'))
        check_lambda(faults, 'lambda1', lambda1)
        check_lambda(faults, 'lambda2', lambda2)
        check_depth(faults, depth, 2, 'one convolution and the last linear layer')
        check_kernel_size(faults, kernel_size)
        check_width(faults, width)
        check_modules(faults, modules)
        check_balance(faults, balance, modules)
        faults.raise_if_any()
        self.loss = loss
        self.lambda1 = lambda1
        self.lambda2 = lambda2
        self.depth = depth
        self.kernel_size = kernel_size
        self.width = width
        self.modules = modules
        self.balance = balance

    def plan_auxiliaries(self, taught: Sequence[int],
                         units: Sequence[UnitSpec]) -> Sequence[AuxiliaryPlan]:
        """See :meth:`LocalRule.plan_auxiliaries`."""
        weights = linear_weights(self.lambda2, len(taught))
        seconds = second_losses('reconstruction', self.lambda1, len(taught))
        return [AuxiliaryPlan(self._network(units[unit], units), weight=weight, second=second)
                for unit, weight, second in zip(taught, weights, seconds, strict=True)]

    def _network(self, unit: UnitSpec,
                 units: Sequence[UnitSpec]) -> tuple[AuxiliaryLayer, ...]:
        # As printed for ResNets: 32, 64 and 64 channels, the last without stride.
        widens = unit.stage < units[-1].stage
        channels = scaled(unit.channels * (2 if widens else 1), self.width)
        return (Conv(channels, self.kernel_size, stride=2 if widens else 1),
                *[Conv(channels, self.kernel_size)] * (self.depth - 3), GlobalPooling(),
                *([Linear(HIDDEN, norm=False)] if self.depth > 2 else []),
                Classifier() if self.loss == 'softmax' else Embedding(HIDDEN))
