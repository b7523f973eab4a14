"""The interface of a learning rule."""
from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence

from auglocal_mm.plan import (
    AuxiliaryPlan,
    LocalPlan,
    UnitSpec,
    even_modules,
    modules_ending_at,
    stage_ends,
)
from auglocal_mm.validation import Faults, shown

#: Where modules end, see :attr:`LocalRule.modules`.
Modules = int | str | Sequence[str] | None


class LocalRule(ABC):
    """Decides how a backbone is cut and which auxiliary networks train it.

    A rule only plans; building and running the plan is the same for all rules.

    Attributes:
        modules: Where modules end. A number K splits the units evenly, ``'stages'`` ends a
            module with each stage, and a sequence names the units at their ends. ``None`` is
            the rule's own split (by default one module per unit).
    """

    modules: Modules = None

    def plan(self, units: Sequence[UnitSpec]) -> LocalPlan:
        """Plan for a backbone with these units.

        Frozen modules get no auxiliary network.

        Raises:
            ValueError: A setting of the rule does not fit the backbone.
        """
        modules = self._modules_of(units)
        # The last module learns by the model's own loss and needs no network.
        ends = [unit for unit in range(len(units) - 1) if modules[unit] != modules[unit + 1]]
        taught = [end for end in ends if any(
            unit.trainable for unit, module in zip(units, modules, strict=True)
            if module == modules[end])]
        auxiliaries = self.plan_auxiliaries(taught, units)
        return LocalPlan.assemble(units, modules, dict(zip(taught, auxiliaries, strict=True)))

    def _modules_of(self, units: Sequence[UnitSpec]) -> tuple[int, ...]:
        if self.modules is None or isinstance(self.modules, int):
            return self.assign_modules(len(units))
        names = stage_ends(units) if isinstance(self.modules, str) else self.modules
        return modules_ending_at(names, units)

    def assign_modules(self, count: int) -> tuple[int, ...]:
        """Return the module of each of `count` units, where `modules` is a number or ``None``."""
        modules = self.modules if isinstance(self.modules, int) else count
        faults = Faults(f'{type(self).__name__} on a backbone of {count} units')
        faults.add_unless(modules <= count, f'modules must be at most {count}, one per unit, got '
                                            f'{shown(self.modules)}')
        faults.raise_if_any()
        return even_modules(count, modules)

    @abstractmethod
    def plan_auxiliaries(self, taught: Sequence[int],
                         units: Sequence[UnitSpec]) -> Sequence[AuxiliaryPlan]:
        """Plan the auxiliary networks.

        Args:
            taught: Indices of the units that get one, first to last.
            units: All units.

        Returns:
            One plan for each of `taught`.
        """
