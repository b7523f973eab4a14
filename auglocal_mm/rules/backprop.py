"""Back-propagation through the whole network, as a rule beside the others."""
from __future__ import annotations

from collections.abc import Sequence

from auglocal_mm.plan import AuxiliaryPlan, UnitSpec, whole_module
from auglocal_mm.registry import LOCAL_RULES

from .base import LocalRule


@LOCAL_RULES.register_module()
class Backprop(LocalRule):
    """One module and no auxiliary network: end-to-end training by the same code."""

    def assign_modules(self, count: int) -> tuple[int, ...]:
        """See :meth:`LocalRule.assign_modules`."""
        return whole_module(count)

    def plan_auxiliaries(self, taught: Sequence[int],
                         units: Sequence[UnitSpec]) -> Sequence[AuxiliaryPlan]:
        """See :meth:`LocalRule.plan_auxiliaries`."""
        return ()
