"""DGL: decoupled greedy learning (Belilovsky et al., 2020), as the paper compares it."""
from __future__ import annotations

from collections.abc import Sequence

from auglocal_mm.plan import (
    AuxiliaryLayer,
    AuxiliaryPlan,
    Classifier,
    Conv,
    FixedPooling,
    Linear,
    QuarterPooling,
    UnitSpec,
)
from auglocal_mm.registry import LOCAL_RULES
from auglocal_mm.validation import Faults

from .base import LocalRule, Modules
from .settings import (
    check_balance,
    check_depth,
    check_kernel_size,
    check_modules,
    check_width,
    scaled,
)


@LOCAL_RULES.register_module()
class DGL(LocalRule):
    """Each unit learns through a small network of its own width.

    Pooling to a quarter of the side, convolutions with BatchNorm2d and ReLU, pooling
    to 2×2, linear layers with BatchNorm1d and ReLU, classifier (section 4 of
    the appendix). Every local loss is the head's own loss with weight 1.

    Args:
        depth: Number of layers in each auxiliary network, including the classifier.
            The paper's has 6: three convolutions, two linear layers, the
            classifier. Smaller depths drop convolutions first, down to one;
            larger depths add convolutions.
        kernel_size: Side of the convolutions' kernels; 3 in Table 4.
        width: Factor on the hidden channels (Table 4).
        modules: Where modules end: a number K of them, ``'stages'``, names of units, or
            ``None`` for one module per unit.
        balance: See :attr:`LocalRule.balance`; for a number of `modules`.

    Raises:
        ValueError: A value out of its bound; all faults are listed.
    """

    def __init__(self, depth: int = 6, kernel_size: int = 1, width: float = 1.0,
                 modules: Modules = None, balance: str = 'units') -> None:
        faults = Faults('DGL')
        check_depth(faults, depth, 2, 'one convolution and the classifier')
        check_kernel_size(faults, kernel_size)
        check_width(faults, width)
        check_modules(faults, modules)
        check_balance(faults, balance, modules)
        faults.raise_if_any()
        self.depth = depth
        self.kernel_size = kernel_size
        self.width = width
        self.modules = modules
        self.balance = balance

    def plan_auxiliaries(self, taught: Sequence[int],
                         units: Sequence[UnitSpec]) -> Sequence[AuxiliaryPlan]:
        """See :meth:`LocalRule.plan_auxiliaries`."""
        return [AuxiliaryPlan(dgl_layers(units[unit].channels, self.depth, self.kernel_size,
                                         self.width)) for unit in taught]


def dgl_layers(channels: int, depth: int = 6, kernel_size: int = 1,
               width: float = 1.0) -> tuple[AuxiliaryLayer, ...]:
    """Return DGL's auxiliary network for features of `channels` channels."""
    linears = min(2, depth - 2)
    # At least one convolution stays; the classifier itself counts as a layer.
    hidden = scaled(channels, width)
    return (QuarterPooling(), *[Conv(hidden, kernel_size)] * (depth - 1 - linears),
            FixedPooling(2, 2), *[Linear(4 * hidden, bias=False)] * linears, Classifier())
