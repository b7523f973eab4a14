"""The interface of a learning rule."""
from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from math import inf

from auglocal_mm.plan import (
    AuxiliaryPlan,
    Costs,
    LocalPlan,
    UnitSpec,
    balanced_modules,
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
        balance: How a number of modules splits the units: ``'units'``, equally many in each;
            ``'memory'``, so that the module that keeps most for its backward pass keeps as
            little as possible; ``'time'``, so that the slowest module is as fast as possible.
    """

    modules: Modules = None
    balance: str = 'units'

    def plan(self, units: Sequence[UnitSpec], costs: Costs | None = None) -> LocalPlan:
        """Plan for a backbone with these units.

        Frozen modules get no auxiliary network.

        Args:
            units: All units.
            costs: What they cost, and what each of :meth:`candidates` does. Needed unless
                `balance` is ``'units'``.

        Raises:
            ValueError: A setting of the rule does not fit the backbone.
        """
        modules = self._modules_of(units, costs)
        # The last module learns by the model's own loss and needs no network.
        ends = [unit for unit in range(len(units) - 1) if modules[unit] != modules[unit + 1]]
        taught = [end for end in ends if any(
            unit.trainable for unit, module in zip(units, modules, strict=True)
            if module == modules[end])]
        auxiliaries = self.plan_auxiliaries(taught, units)
        return LocalPlan.assemble(units, modules, dict(zip(taught, auxiliaries, strict=True)))

    def _modules_of(self, units: Sequence[UnitSpec], costs: Costs | None) -> tuple[int, ...]:
        if self.modules is None or isinstance(self.modules, int):
            even = self.assign_modules(len(units))
            return even if self.balance == 'units' else self._balanced(units, costs)
        names = stage_ends(units) if isinstance(self.modules, str) else self.modules
        return modules_ending_at(names, units)

    def candidates(self, units: Sequence[UnitSpec]) -> dict[tuple[int, int], AuxiliaryPlan]:
        """Return the auxiliary network of each module, for every unit that it might end at.

        A network depends on its unit and on its place among the others, and on nothing else.

        Returns:
            Plans by the indices of module and unit.
        """
        count = self._number() - 1
        return {(module, unit): network for unit in range(len(units) - 1)
                for module, network in enumerate(self.plan_auxiliaries([unit] * count, units))}

    def _number(self) -> int:
        if not isinstance(self.modules, int):
            raise ValueError(f'balance={self.balance!r} in model.local needs a number of modules, '
                             f'got modules={shown(self.modules)}')
        return self.modules

    def _balanced(self, units: Sequence[UnitSpec], costs: Costs | None) -> tuple[int, ...]:
        if costs is None:
            raise ValueError(f'balance={self.balance!r} needs the costs of the units, which are '
                             'counted when a model is built; pass them to plan() as costs')
        modules = balanced_modules(len(units), self._number(), _Pricing(
            units, costs, self.candidates(units), self.balance))
        if modules is None:
            trained = sum(unit.trainable for unit in units)
            raise ValueError(
                f'balance={self.balance!r} in model.local cannot make {self.modules} modules that '
                f'all train something of {len(units)} units, {trained} of them trained; lower '
                "modules, freeze less, or set balance='units'")
        return modules

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


class _Pricing:
    """Tells what a module would cost: bytes or multiply-adds.

    Args:
        units: All units.
        costs: What they and the networks cost.
        networks: Auxiliary networks by module and unit.
        balance: ``'memory'`` or ``'time'``.
    """

    def __init__(self, units: Sequence[UnitSpec], costs: Costs,
                 networks: Mapping[tuple[int, int], AuxiliaryPlan], balance: str) -> None:
        self._units = units
        self._costs = costs
        self._networks = networks
        self._balance = balance

    def __call__(self, module: int, start: int, stop: int) -> float:
        last = stop == len(self._units)
        # A module of frozen units has nothing to keep or to learn; another one needs its place.
        if not last and not any(unit.trainable for unit in self._units[start:stop]):
            return inf
        cost = self._costs.module(
            start, stop, () if last else [(stop - 1, self._networks[module, stop - 1])])
        return cost.bytes if self._balance == 'memory' else cost.flops
