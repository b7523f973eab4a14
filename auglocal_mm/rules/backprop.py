"""Back-propagation through the whole network, as a rule beside the others."""
from __future__ import annotations

from collections.abc import Sequence

from auglocal_mm.plan import AuxiliaryPlan, LayerSpec, whole_module
from auglocal_mm.registry import LOCAL_RULES

from .base import LocalRule


@LOCAL_RULES.register_module()
class Backprop(LocalRule):
    """One module and no auxiliary network: end-to-end training by the same code."""

    def assign_modules(self, units: int) -> tuple[int, ...]:
        """See :meth:`LocalRule.assign_modules`."""
        return whole_module(units)

    def plan_auxiliaries(self, taught: Sequence[int],
                         layers: Sequence[LayerSpec]) -> Sequence[AuxiliaryPlan]:
        """See :meth:`LocalRule.plan_auxiliaries`."""
        return ()
