"""Local plans: what trains which unit, as pure data."""
from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import pairwise
from typing import Any

from .auxiliary_plan import AuxiliaryPlan
from .text_table import table_lines
from .unit import UnitSpec


@dataclass(frozen=True, kw_only=True)
class UnitShape:
    """The place of one unit in the chain.

    Attributes:
        name: Dotted path of the unit in its backbone.
        channels: Channels of its output.
        stride: Factor by which it shrinks each side of its input.
    """
    name: str
    channels: int
    stride: int


@dataclass(frozen=True, kw_only=True)
class LocalLoss:
    """An auxiliary network that reads a unit's features, with the loss at its end.

    Attributes:
        unit: Index of the unit.
        channels: Channels of the unit's features.
        auxiliary: The network.
        key: Its name in ``model.auxiliary``, and so in a state dict.
    """
    unit: int
    channels: int
    auxiliary: AuxiliaryPlan
    key: str


@dataclass(frozen=True, kw_only=True)
class ModulePlan:
    """A run of units that is trained together: those from `start` up to, but not with, `stop`.

    Modules may overlap. The units that two of them share are trained by both.

    Attributes:
        start: Index of its first unit.
        stop: Index after its last unit.
        losses: Its auxiliary networks, in the order in which their losses are computed. The
            last module learns by the model's own loss as well. Another module without
            any has no boundary at its end; the next one that has a loss trains it.
    """
    start: int
    stop: int
    losses: tuple[LocalLoss, ...] = ()


@dataclass(frozen=True, kw_only=True)
class UnitRow:
    """One unit as a row of a table.

    Attributes:
        name, channels, stride: As in :class:`UnitShape`.
        module: Index of the last module that trains the unit.
        auxiliaries: The networks that read its features.
    """
    name: str
    channels: int
    stride: int
    module: int
    auxiliaries: tuple[AuxiliaryPlan, ...] = ()

    @property
    def auxiliary(self) -> AuxiliaryPlan | None:
        """The only network that reads its features, or the first of several."""
        return self.auxiliaries[0] if self.auxiliaries else None


@dataclass(frozen=True, kw_only=True)
class LocalPlan:
    """The whole plan.

    Attributes:
        shapes: Every unit, in the order of the forward pass.
        spans: Every module, in the order of the forward pass.

    Raises:
        ValueError: The modules leave units out or run backwards, or a loss reads a unit
            outside its module.
    """
    shapes: tuple[UnitShape, ...]
    spans: tuple[ModulePlan, ...]

    def __post_init__(self) -> None:
        # Checked here, because a plan may come from a rule of somebody else's.
        bounds = [(span.start, span.stop) for span in self.spans]
        covers = bool(bounds) and bounds[0][0] == 0 and bounds[-1][1] == len(self.shapes)
        in_order = all(a[0] < b[0] <= a[1] < b[1] for a, b in pairwise(bounds))
        if not (covers and in_order and all(start < stop for start, stop in bounds)):
            raise ValueError(
                f'modules must cover the units 0 … {len(self.shapes) - 1} in order and without '
                f'gaps, each beginning and ending after the one before it, got {bounds}')
        for module, span in enumerate(self.spans):
            self._check_losses(module, [loss.unit for loss in span.losses])
        keys = Counter(loss.key for span in self.spans for loss in span.losses)
        twice = [key for key, count in keys.items() if count > 1]
        if twice:
            raise ValueError(
                f'every auxiliary network must have a key of its own, got {twice[0]!r} '
                f'{keys[twice[0]]} times; give one of them another: dataclasses.replace(loss, '
                'key=…)')

    def _check_losses(self, module: int, read: Sequence[int]) -> None:
        span, owned = self.spans[module], self.owned(module)
        where = f'the module of units {span.start} … {span.stop - 1}'
        outside = [unit for unit in read if not span.start <= unit < span.stop]
        if outside:
            raise ValueError(f'a loss of {where} must read one of them, got unit {outside[0]}')
        # A boundary follows, so nothing else would train the units after the last that is read.
        if read and module < self.modules - 1 and max(read) + 1 < owned.stop:
            raise ValueError(
                f'a loss of {where} must read unit {owned.stop - 1} or a later one, got unit '
                f'{max(read)} as the last; the units in between would never be trained')

    @classmethod
    def assemble(cls, units: Sequence[UnitSpec], modules: Sequence[int],
                 auxiliaries: Mapping[int, AuxiliaryPlan | Sequence[AuxiliaryPlan]]) -> LocalPlan:
        """Assemble a plan of modules that do not overlap.

        Args:
            units: All units.
            modules: Index of each unit's module.
            auxiliaries: The networks, one or several, by the index of the unit that they read.

        Raises:
            ValueError: The modules are no runs of all units in order, or a network reads a unit
                that does not exist.
        """
        steps = [b - a for a, b in pairwise([0, *modules])]
        if len(modules) != len(units) or not set(steps) <= {0, 1} or steps[:1] == [1]:
            raise ValueError(f'modules must number {len(units)} units from 0 and grow by 0 or 1 '
                             f'from unit to unit, got {list(modules)}')
        absent = [unit for unit in auxiliaries if not 0 <= unit < len(units)]
        if absent:
            raise ValueError(f'auxiliary networks must read units 0 … {len(units) - 1}, got unit '
                             f'{absent[0]}')
        spans = []
        for module in range(modules[-1] + 1):
            members = [unit for unit, owner in enumerate(modules) if owner == module]
            losses = tuple(loss for unit in members for loss in losses_at(
                unit, units, auxiliaries.get(unit, ())))
            spans.append(ModulePlan(start=members[0], stop=members[-1] + 1, losses=losses))
        return cls(shapes=shapes_of(units), spans=tuple(spans))

    @property
    def units(self) -> int:
        """Number of units (N)."""
        return len(self.shapes)

    @property
    def modules(self) -> int:
        """Number of modules (K), including the last one with the real head."""
        return len(self.spans)

    @property
    def losses(self) -> tuple[LocalLoss, ...]:
        """Every auxiliary network of the plan."""
        return tuple(loss for span in self.spans for loss in span.losses)

    @property
    def module_names(self) -> tuple[str, ...]:
        """Name of the unit at the end of each module."""
        return tuple(self.shapes[span.stop - 1].name for span in self.spans)

    def owned(self, module: int) -> range:
        """Return the units that a module trains last: after it, their gradients are final."""
        # Of a unit that two modules share, the later one has the last word.
        last = module == self.modules - 1
        span = self.spans[module]
        return range(span.start, span.stop if last else self.spans[module + 1].start)

    def has_loss(self, module: int) -> bool:
        """Tell whether a module has a loss of its own, and so a boundary at its end."""
        return module == self.modules - 1 or bool(self.spans[module].losses)

    @cached_property
    def layers(self) -> tuple[UnitRow, ...]:
        """Every unit as a row: its shape, its module, what reads its features."""
        owner = {unit: module for module in range(self.modules) for unit in self.owned(module)}
        read: dict[int, tuple[AuxiliaryPlan, ...]] = {}
        for loss in self.losses:
            read[loss.unit] = (*read.get(loss.unit, ()), loss.auxiliary)
        return tuple(UnitRow(name=shape.name, channels=shape.channels, stride=shape.stride,
                             module=owner[unit], auxiliaries=read.get(unit, ()))
                     for unit, shape in enumerate(self.shapes))

    def to_dict(self) -> dict[str, Any]:
        """Return plain dicts, lists and numbers, as ``show_plan.py --json`` prints them.

        A unit that several networks read has the others in ``more``.
        """
        rows = []
        for row in self.layers:
            networks = [auxiliary.to_dict() for auxiliary in row.auxiliaries]
            rows.append(dict(name=row.name, channels=row.channels, stride=row.stride,
                             module=row.module, auxiliary=networks[0] if networks else None))
            if len(networks) > 1:
                rows[-1]['more'] = networks[1:]
        spans = [[span.start, span.stop] for span in self.spans]
        return dict(units=self.units, modules=self.modules, spans=spans, layers=rows)

    def describe_auxiliary(self, row: UnitRow, classes: int | None = None) -> str:
        """Describe the networks that read one unit's features, for a table cell."""
        if row.auxiliaries:
            return ', '.join(_described(auxiliary, classes) for auxiliary in row.auxiliaries)
        if row is self.layers[-1]:
            return '(the head)'
        return '' if row.module == self.modules - 1 else '-'

    def modules_of(self, unit: int) -> str:
        """Name the modules that train a unit, for a table cell: ``3``, or ``2, 3``."""
        return ', '.join(str(module) for module, span in enumerate(self.spans)
                         if span.start <= unit < span.stop)

    def __str__(self) -> str:
        header = ('unit', 'channels', 'stride', 'module', 'auxiliary network', 'strides')
        rows = [(row.name, str(row.channels), str(row.stride), self.modules_of(unit),
                 self.describe_auxiliary(row),
                 ', '.join(' '.join(map(str, each.strides)) for each in row.auxiliaries))
                for unit, row in enumerate(self.layers)]
        noun = 'module' if self.modules == 1 else 'modules'
        title = f'{self.units} units in {self.modules} local {noun}'
        return '\n'.join([title, *table_lines(header, rows)])


def shapes_of(units: Sequence[UnitSpec]) -> tuple[UnitShape, ...]:
    """Return the units' shapes, as a plan holds them."""
    return tuple(UnitShape(name=unit.name, channels=unit.channels, stride=unit.stride)
                 for unit in units)


def losses_at(unit: int, units: Sequence[UnitSpec],
              auxiliaries: AuxiliaryPlan | Sequence[AuxiliaryPlan]) -> tuple[LocalLoss, ...]:
    """Return the losses of the networks that read one unit, each with a key of its own.

    Args:
        unit: Index of the unit.
        units: All units.
        auxiliaries: The networks, one or several.
    """
    several = [auxiliaries] if isinstance(auxiliaries, AuxiliaryPlan) else auxiliaries
    spec = units[unit]
    first = tuple(LocalLoss(unit=unit, channels=spec.channels, auxiliary=auxiliary,
                            key=auxiliary_key(spec.name)) for auxiliary in several)
    # The first keeps the plain key, which checkpoints of plans with one network per unit have.
    return (*first[:1], *(replace(loss, key=f'{loss.key}__{number}')
                          for number, loss in enumerate(first[1:], start=2)))


def auxiliary_key(name: str) -> str:
    """Return the key of a unit's auxiliary network in ``model.auxiliary`` (without dots)."""
    return name.replace('.', '_')  # torch forbids dots in the names of modules


def _described(auxiliary: AuxiliaryPlan, classes: int | None) -> str:
    norm = ' (BN)' if auxiliary.batch_norm_before_fc else ''
    second = f' + {auxiliary.second.name}' if auxiliary.second else ''
    return auxiliary.notation(classes) + norm + second
