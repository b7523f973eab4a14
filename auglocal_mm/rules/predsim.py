"""PredSim: prediction and similarity matching (Nøkland and Eidnes, 2019)."""
from __future__ import annotations

from collections.abc import Sequence

from auglocal_mm.plan import (
    AuxiliaryPlan,
    Classifier,
    Conv,
    FixedPooling,
    UnitSpec,
    linear_weights,
)
from auglocal_mm.registry import LOCAL_RULES
from auglocal_mm.validation import Faults

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

#: Largest number of values that a feature map is pooled to.
FLATTENED = 512


@LOCAL_RULES.register_module()
class PredSim(LocalRule):
    """Each unit learns to predict classes linearly and to match label similarities.

    Average pooling to 512 values and a linear classifier; in addition, similarity
    matching through a 3×3 convolution (section 4 of the appendix).

    Args:
        lambda1: Weight of similarity matching, (first module, last one).
        lambda2: Weight of the head's own loss, (first module, last one).
        depth: Number of layers in each auxiliary network, including the classifier.
            The paper's has 1; larger depths add convolutions with BatchNorm2d and
            ReLU before the classifier (Table 4).
        kernel_size: Side of those convolutions' kernels.
        width: Factor on their channels.
        modules: Where modules end: a number K of them, ``'stages'``, names of units, or
            ``None`` for one module per unit.
        balance: See :attr:`LocalRule.balance`; for a number of `modules`.

    Raises:
        ValueError: A value out of its bound; all faults are listed.
    """

    def __init__(self, lambda1: Sequence[float] = (0.99, 0.99),
                 lambda2: Sequence[float] = (0.01, 0.01), depth: int = 1, kernel_size: int = 3,
                 width: float = 1.0, modules: Modules = None, balance: str = 'units') -> None:
        faults = Faults('PredSim')
        check_lambda(faults, 'lambda1', lambda1)
        check_lambda(faults, 'lambda2', lambda2)
        check_depth(faults, depth, 1, 'the classifier')
        check_kernel_size(faults, kernel_size)
        check_width(faults, width)
        check_modules(faults, modules)
        check_balance(faults, balance, modules)
        faults.raise_if_any()
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
        seconds = second_losses('similarity', self.lambda1, len(taught))
        plans = []
        for unit, weight, second in zip(taught, weights, seconds, strict=True):
            channels = units[unit].channels
            # Without a convolution nothing can change the channels.
            hidden = scaled(channels, self.width) if self.depth > 1 else channels
            plans.append(AuxiliaryPlan(
                (*[Conv(hidden, self.kernel_size)] * (self.depth - 1), pooling_to_fit(hidden),
                 Classifier()), weight=weight, second=second))
        return plans


def pooling_to_fit(channels: int) -> FixedPooling:
    """Return a pooling to the largest powers of two that leave at most 512 values.

    The paper's windows of 8×4, 4×4 and 4×2 pixels leave 4×8, 4×4 and 2×4 positions
    for 16, 32 and 64 channels at 32×32. From 257 channels on, 1×1 is left.
    """
    doublings = max(0, (FLATTENED // channels).bit_length() - 1)
    return FixedPooling(2 ** (doublings // 2), 2 ** (doublings - doublings // 2))
