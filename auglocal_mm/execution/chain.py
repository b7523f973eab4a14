"""The chain: a backbone's units in modules, run module by module from a carry."""
from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial

from torch import nn

from auglocal_mm.auxiliary import recomputed
from auglocal_mm.partition import Features, Unit, requires_grad
from auglocal_mm.plan import LocalPlan

from .carry import Carry


@dataclass(frozen=True, kw_only=True)
class Passage:
    """What one module's forward pass gives.

    Attributes:
        end: The features at the module's end.
        read: Features by the index of the unit, for every unit that an auxiliary network reads.
        carry: What goes on to the next module, with its history.
    """
    end: Features
    read: Mapping[int, Features]
    carry: Carry

    @property
    def trains(self) -> bool:
        """Whether a loss at the module's end would train anything before it."""
        return requires_grad(self.end)


@dataclass(frozen=True, kw_only=True)
class Chain:
    """A partition and a plan, without any module: names that each call looks up.

    So deep copies (EMA) and replaced norms (SyncBN) keep working.

    Attributes:
        units: The backbone's units.
        plan: How they are cut into modules.
        recomputed: Indices of the modules whose units are computed a second time in the
            backward pass instead of being kept.

    Raises:
        ValueError: The plan is of other units.
    """
    units: tuple[Unit, ...]
    plan: LocalPlan
    recomputed: frozenset[int] = frozenset()

    def __post_init__(self) -> None:
        names = [unit.name for unit in self.units]
        planned = [shape.name for shape in self.plan.shapes]
        if names != planned:
            raise ValueError(f'the plan must be of the backbone\'s {len(names)} units, '
                             f'got {len(planned)} units: {", ".join(planned[:3])}, …')

    def run(self, backbone: nn.Module, module: int, carry: Carry) -> Passage:
        """Run one module.

        Args:
            backbone: Holds the units' modules.
            module: Index of the module.
            carry: Where the run stands: at the module's first unit.

        Raises:
            ValueError: The carry stands elsewhere.
        """
        span = self.plan.spans[module]
        if carry.unit != span.start:
            raise ValueError(f'module {module} must start at unit {span.start}, got a carry that '
                             f'stands at unit {carry.unit}')
        # Where modules overlap, the next one starts before this one ends.
        handover = self.plan.owned(module).stop
        wanted = {loss.unit for loss in span.losses}
        read: dict[int, Features] = {}
        x, outputs, onward = carry.features, list(carry.outputs), carry
        for index in range(span.start, span.stop):
            unit = self.units[index]
            if module in self.recomputed:
                # The inside of a unit is the most that a module holds only if no others are kept.
                x = recomputed(partial(unit.forward, backbone), (x,),
                               modules=partial(unit.modules, backbone),
                               in_pieces=span.stop - span.start == 1)
            else:
                x = unit.forward(backbone, x)
            outputs += [output(backbone, x) for output in unit.outputs]
            if index in wanted:
                read[index] = x
            if index + 1 == handover:
                onward = Carry(features=x, outputs=tuple(outputs), unit=handover)
        return Passage(end=x, read=read, carry=onward)

    def parameters(self, backbone: nn.Module, module: int) -> list[nn.Parameter]:
        """Return the backbone's parameters that a module is the last to train."""
        return [parameter for index in self.plan.owned(module)
                for parameter in self.units[index].parameters(backbone)]
