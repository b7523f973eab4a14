"""What the parts of a network cost in a training step, as numbers."""
from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TypeAlias

from .auxiliary_plan import AuxiliaryPlan
from .layers import AuxiliaryLayer

#: What decides the cost of an auxiliary network: the unit that it reads, its layers, and the
#: name of its second loss.
NetworkKey: TypeAlias = tuple[int, tuple[AuxiliaryLayer, ...], str | None]


@dataclass(frozen=True, kw_only=True)
class Cost:
    """What a part costs.

    Attributes:
        kept: What it keeps for its backward pass, each piece of memory as its number and its
            bytes. Two parts that keep the same piece, such as the features between them, name
            the same number.
        flops: Multiply-adds of its forward and its backward pass.
    """
    kept: frozenset[tuple[int, int]] = frozenset()
    flops: int = 0

    @property
    def bytes(self) -> int:
        """Number of bytes that it keeps."""
        return sum(size for _, size in self.kept)


def together(parts: Iterable[Cost]) -> Cost:
    """Return the cost of several parts that are trained together."""
    several = list(parts)
    return Cost(kept=frozenset().union(*(part.kept for part in several)),
                flops=sum(part.flops for part in several))


@dataclass(frozen=True, kw_only=True)
class Costs:
    """What every part of a model costs that a cut can put into one module or another.

    Attributes:
        units: Cost of each unit.
        networks: Cost of each auxiliary network that a module might end in.
        head: Cost of all that follows the backbone.
        outputs: For each unit, what the backbone returns from it. From there on it is held
            for whatever follows the backbone.
    """
    units: tuple[Cost, ...]
    networks: Mapping[NetworkKey, Cost] = field(default_factory=dict)
    head: Cost = Cost()
    outputs: tuple[frozenset[tuple[int, int]], ...] = ()

    def module(self, start: int, stop: int,
               auxiliaries: Sequence[tuple[int, AuxiliaryPlan]] = ()) -> Cost:
        """Return the cost of a module.

        Args:
            start: Index of its first unit.
            stop: Index after its last unit.
            auxiliaries: Its auxiliary networks, each with the unit that it reads.
        """
        networks = [self.networks[network_key(unit, plan)] for unit, plan in auxiliaries]
        head = [self.head] if stop == len(self.units) else []
        # The neck of a detector reads outputs of earlier modules, which are held until then.
        held = Cost(kept=frozenset().union(*self.outputs[:stop]))
        return together([*self.units[start:stop], *networks, *head, held])


def network_key(unit: int, auxiliary: AuxiliaryPlan) -> NetworkKey:
    """Return what decides the cost of an auxiliary network that reads a unit."""
    return unit, tuple(auxiliary.layers), auxiliary.second.name if auxiliary.second else None
