"""What the parts of a model cost, counted before or after its modules are known."""
from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from types import SimpleNamespace
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils._pytree import tree_iter

from auglocal_mm.auxiliary import AuxiliaryNetwork, BuildContext, build_auxiliary
from auglocal_mm.execution.cost_counter import CostCounter
from auglocal_mm.partition import Features, Tokens, Unit, feature_map, image_channels, image_side
from auglocal_mm.plan import (
    AuxiliaryPlan,
    Cost,
    Costs,
    LocalLoss,
    LocalPlan,
    UnitSpec,
    network_key,
    together,
)

#: Images that are counted: a BatchNorm of vectors refuses a single one. Relative costs are the
#: same for every number.
IMAGES = 2


class CountedModel:
    """A copy of a model on fake tensors, its units run once.

    Costs are those of full precision, with nothing recomputed, and as in back-propagation: the
    first operation of a module, whose input needs no gradient, may keep less.

    Args:
        model: The model. It does not change.
        units: Its backbone's units.
        shape: Height and width of the images; ``None`` for :func:`shape_of`.

    Raises:
        ValueError: It cannot be run on such tensors.
    """

    def __init__(self, model: Any, units: Sequence[Unit], *,
                 shape: tuple[int, int] | None = None) -> None:
        self.shape = shape or shape_of(model, units)
        self._counter = CostCounter()
        self.model = self._counter.copy(model)
        with self._counter.building():
            self._images = torch.empty(IMAGES, image_channels(model.backbone), *self.shape)
        self._features: list[Features] = []
        self._emitted: list[list[Any]] = []
        self._names = [unit.name for unit in units]
        self.units = tuple(self._told(f'unit {unit.name}', partial(self._unit, unit))
                           for unit in units)

    def _unit(self, unit: Unit) -> Cost:
        def run() -> tuple[Features, list[Any]]:
            before = self._features[-1] if self._features else self._images
            y = unit.forward(self.model.backbone, before)
            return y, [output(self.model.backbone, y) for output in unit.outputs]

        (y, emitted), cost = self._counter.count(run)
        self._features.append(y)
        self._emitted.append(emitted)
        return cost

    @property
    def outputs(self) -> tuple[frozenset[tuple[int, int]], ...]:
        """For each unit, the memory of what the backbone returns from it."""
        return tuple(frozenset(piece for part in emitted for piece in self._pieces(part))
                     for emitted in self._emitted)

    def _pieces(self, value: Any) -> Iterable[tuple[int, int]]:
        values = value.values if isinstance(value, Tokens) else value
        return [piece for tensor in tree_iter(values) if isinstance(tensor, Tensor)
                for piece in self._counter.pieces(tensor).items()]

    def networks(self, losses: Sequence[LocalLoss], context: BuildContext) -> Cost:
        """Return the cost of auxiliary networks together; they are built without memory.

        Args:
            losses: Their places in a plan.
            context: What building them requires, with this object's own backbone.
        """
        return together(self._told(f'an auxiliary network of {self._names[loss.unit]}',
                                   partial(self._network, loss, context)) for loss in losses)

    def _network(self, loss: LocalLoss, context: BuildContext) -> Cost:
        with self._counter.building():
            network = self._counter.exclude(build_auxiliary(loss, context))
        return self._counter.count(lambda: self._run(network.train(), loss))[1]

    def _run(self, network: AuxiliaryNetwork, loss: LocalLoss) -> Any:
        x = self._features[loss.unit]
        output = network(x)
        if network.second is None:
            return output
        # Targets of the second losses; their values do not matter.
        batch = SimpleNamespace(images=self._images, scores=torch.zeros(IMAGES, 2),
                                labels=torch.zeros(IMAGES, dtype=torch.long))
        return output, network.second(feature_map(x), getattr(batch, network.second.target))

    def head(self) -> Cost:
        """Return the cost of what follows the backbone."""
        outputs = tuple(part for emitted in self._emitted for part in emitted)
        return together(self._told('what follows the backbone',
                                   partial(self._counter.count, part))[1]
                        for part in self.model.end_parts(outputs))

    def _told(self, what: str, run: Callable[[], Any]) -> Any:
        """Count a part, and tell which one cannot be."""
        try:
            return run()
        except Exception as error:
            # A network that reads a tensor's values fails in a way of its own.
            reason = str(error).strip().partition('\n')[0] or type(error).__name__
            height, width = self.shape
            raise ValueError(
                f'{type(self.model.backbone).__name__}: the cost of {what} cannot be counted on '
                f"images of {height}×{width} ({reason}); set balance='units' in model.local, or "
                'name the units at which modules end') from error


def shape_of(model: Any, units: Sequence[Unit]) -> tuple[int, int]:
    """Return the height and width of the images that a model's costs are counted on.

    A model does not know the images of its data set. A detector states what is usual for it,
    because its regions do not grow with the image. A transformer states its own size. The
    relative costs of a convolutional network hardly depend on the size, so a usual one will do.
    """
    usual = getattr(model, 'usual_shape', None)
    return usual or image_side(model.backbone, [unit.stride for unit in units])


@dataclass(frozen=True, kw_only=True)
class Candidates:
    """The auxiliary networks that a plan may choose from, and how they are built.

    Attributes:
        networks: Each with the index of the unit that it reads.
        specs: All units.
        localise: Turns a plan's networks into those that the task needs.
        context: ``context(backbone, plan)``, what building networks requires.
    """
    networks: Iterable[tuple[int, AuxiliaryPlan]]
    specs: Sequence[UnitSpec]
    localise: Callable[[LocalPlan], LocalPlan]
    context: Callable[[nn.Module, LocalPlan], BuildContext]

    def costs(self, counted: CountedModel) -> Mapping[Any, Cost]:
        """Count each of them."""
        found: dict[Any, Cost] = {}
        for unit, network in self.networks:
            key = network_key(unit, network)
            if key not in found:
                plan = self.localise(self._ending(unit, network))
                found[key] = counted.networks(
                    plan.losses, self.context(counted.model.backbone, plan))
        return found

    def _ending(self, unit: int, network: AuxiliaryPlan) -> LocalPlan:
        """Return a plan of two modules, of which the first ends in the network."""
        modules = [int(index > unit) for index in range(len(self.specs))]
        return LocalPlan.assemble(self.specs, modules, {unit: network})


def count_costs(model: Any, units: Sequence[Unit], candidates: Candidates) -> Costs:
    """Count everything that a cut can put into one module or another.

    Args:
        model: A model whose modules are not known yet.
        units: Its backbone's units.
        candidates: The auxiliary networks that its modules may end in.

    Raises:
        ValueError: Something cannot be counted.
    """
    counted = CountedModel(model, units)
    return Costs(units=counted.units, networks=candidates.costs(counted), head=counted.head(),
                 outputs=counted.outputs)


@dataclass(frozen=True, kw_only=True)
class ModuleCosts:
    """What a local model's modules cost.

    Attributes:
        modules: Each module, its auxiliary networks included.
        whole: The plain model, trained by back-propagation.
        images: Number of images that these costs are of.
        shape: Height and width of the images.
    """
    modules: tuple[Cost, ...]
    whole: Cost
    images: int
    shape: tuple[int, int]


def module_costs(model: Any, *, shape: tuple[int, int] | None = None) -> ModuleCosts:
    """Count what each module of a local model costs.

    Args:
        model: A :class:`~auglocal_mm.models.LocalTraining`.
        shape: Height and width of the images; ``None`` for :func:`shape_of`.

    Raises:
        ValueError: It cannot be counted.
    """
    counted = CountedModel(model, model.chain.units, shape=shape)
    costs = Costs(units=counted.units, head=counted.head(), outputs=counted.outputs)
    context = model.build_context(counted.model.backbone)
    return ModuleCosts(
        modules=tuple(together([costs.module(span.start, span.stop),
                                counted.networks(span.losses, context)])
                      for span in model.plan.spans),
        whole=costs.module(0, len(counted.units)), images=IMAGES, shape=counted.shape)
