"""What the modules of a plan cost in training, as a table."""
from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from auglocal_mm.lab.pages.text_table import plain_table
from auglocal_mm.models.counted_costs import ModuleCosts, module_costs
from auglocal_mm.plan import Cost, LocalPlan

from .memory import BYTES_PER_MIB

HEADER = ('module', 'units', 'MiB kept', 'of BP', 'GFLOPs', 'of BP')


@dataclass(frozen=True)
class ModuleTable:
    """The costs of a plan's modules, or why there are none.

    Attributes:
        plan: The plan.
        costs: What its modules cost; ``None`` if that cannot be counted.
        reason: Why it cannot.
    """
    plan: LocalPlan
    costs: ModuleCosts | None
    reason: str = ''

    def to_list(self) -> list[dict[str, Any]] | None:
        """Return bytes and multiply-adds of each module, for one image."""
        if self.costs is None:
            return None
        return [dict(module=module, kept_bytes=cost.bytes // self.costs.images,
                     flops=cost.flops // self.costs.images)
                for module, cost in enumerate(self.costs.modules)]

    def __str__(self) -> str:
        if self.costs is None:
            return f'The modules are not counted: {self.reason}'
        rows = [(str(module), self._units(module), *self._cells(cost))
                for module, cost in enumerate(self.costs.modules)]
        rows.append(('BP', 'all, and the head', *self._cells(self.costs.whole)))
        sides = '×'.join(map(str, self.costs.shape))
        return (f'what a module keeps for its backward pass, and multiply-adds of both passes, '
                f'for one image of {sides}\n' + plain_table(
                    rows, header=HEADER, right=(0, 2, 3, 4, 5)))

    def _units(self, module: int) -> str:
        span = self.plan.spans[module]
        first, last = self.plan.shapes[span.start].name, self.plan.shapes[span.stop - 1].name
        return first if first == last else f'{first} … {last}'

    def _cells(self, cost: Cost) -> tuple[str, ...]:
        assert self.costs is not None
        whole, images = self.costs.whole, self.costs.images
        return (f'{cost.bytes / images / BYTES_PER_MIB:,.1f}', _share(cost.bytes, whole.bytes),
                f'{cost.flops / images / 1e9:,.2f}', _share(cost.flops, whole.flops))


def _share(part: int, whole: int) -> str:
    return f'{part / whole:.3f}' if whole else ''


def module_table(model: Any, shape: tuple[int, int] | None = None) -> ModuleTable:
    """Count the modules of a local model.

    Args:
        model: A ``LocalTraining``.
        shape: Height and width of the image; ``None`` for what is usual for the model.
    """
    try:
        return ModuleTable(model.plan, module_costs(model, shape=shape))
    except ValueError as error:
        # A plan is worth printing where a network defies counting.
        return ModuleTable(model.plan, None, ' '.join(str(error).split()))
