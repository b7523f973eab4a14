"""Local losses of detectors: what each is, how a config chooses them, how they enter a plan."""
from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, ClassVar

from torch import nn

from auglocal_mm.auxiliary import Losses
from auglocal_mm.plan import (
    DENSE_CHANNELS,
    DENSE_STRIDE,
    AuxiliaryLayer,
    AuxiliaryPlan,
    LocalLoss,
    LocalPlan,
    ModulePlan,
    TaskHead,
    UnitSpec,
    dense_layers,
    linear_weights,
    strides_after,
)
from auglocal_mm.registry import DETECTION_LOSSES
from auglocal_mm.validation import Faults, check_int, check_keys, check_number, settings_of, shown

from .batch import DetectionBatch

MAX_WEIGHT, MAX_STRIDE, MAX_CHANNELS = 1e6, 1024, 1_000_000


@dataclass(frozen=True, kw_only=True)
class Site:
    """Where a local loss stands in the backbone.

    Attributes:
        network: The network that the rule has planned there, for classes of images.
        stride: Pixels between two positions of the features.
        units: All units by name.
    """
    network: tuple[AuxiliaryLayer, ...]
    stride: int
    units: Mapping[str, UnitSpec]


class DetectionLoss(ABC):
    """A local loss of a detector: how an auxiliary network ends, and what that costs.

    Register a subclass in ``auglocal_mm.registry.DETECTION_LOSSES``; ``model.local_loss``
    names it. It holds settings and no modules.

    Args:
        weight: λ of the loss: one number, or (first module, last one), linear in depth as
            in InfoPro.

    Attributes:
        name: Its registered name.

    Raises:
        ValueError: A value out of its bound.
    """

    name: ClassVar[str] = ''

    def __init__(self, *, weight: float | Sequence[float] = 1.0) -> None:
        faults = Faults(f'local_loss {self.name!r}')
        ends = weight if isinstance(weight, (list, tuple)) else (weight, weight)
        faults.add_unless(len(ends) == 2, 'weight must be a number or (first, last), got '
                                          f'{shown(weight)}')
        for end in ends[:1] if ends[:1] == ends[1:] else ends:
            check_number(faults, 'weight', end, 0, MAX_WEIGHT)
        faults.raise_if_any()
        self.weight = (float(ends[0]), float(ends[1]))

    @abstractmethod
    def layers(self, site: Site) -> tuple[AuxiliaryLayer, ...]:
        """Plan the auxiliary network, which ends in a ``TaskHead`` of this loss."""

    @abstractmethod
    def build_head(self, *, channels: int, stride: int, classes: int) -> nn.Module:
        """Build the head that maps features to predictions.

        Args:
            channels: Channels C of the map [B, C, H, W], or values of the vector [B, C].
            stride: Pixels between two positions of the map, 0 for a vector.
            classes: Number of the detector's classes.
        """

    @abstractmethod
    def losses(self, head: nn.Module, predictions: Any, batch: DetectionBatch) -> Losses:
        """Return a loss dict of the head's predictions."""


class DenseLoss(DetectionLoss):
    """A local loss of predictions at every position: the rule's blocks on a map, and a head.

    Args:
        stride: Pixels between two positions at which the blocks stop to halve the map.
        max_channels: Largest width of the blocks.
        weight: See :class:`DetectionLoss`.
    """

    def __init__(self, *, stride: int = DENSE_STRIDE, max_channels: int = DENSE_CHANNELS,
                 **kwargs: Any) -> None:
        super().__init__(**kwargs)
        faults = Faults(f'local_loss {self.name!r}')
        check_int(faults, 'stride', stride, 1, MAX_STRIDE)
        check_int(faults, 'max_channels', max_channels, 1, MAX_CHANNELS)
        faults.raise_if_any()
        self.stride = stride
        self.max_channels = max_channels

    def layers(self, site: Site) -> tuple[AuxiliaryLayer, ...]:
        """See :meth:`DetectionLoss.layers`."""
        blocks, stride = dense_layers(site.network, site.units, stride=site.stride,
                                      until=self.stride, max_channels=self.max_channels)
        return (*blocks, TaskHead(self.name, stride))


def build_local_losses(cfg: Any) -> dict[str, DetectionLoss]:
    """Return the losses that ``model.local_loss`` names, by name.

    Args:
        cfg: A name, a dict with a ``type`` and settings, or a list of these.

    Raises:
        TypeError: `cfg` is something else.
        ValueError: A name or a setting is unknown, a value is out of its bound, or a loss is
            named twice.
    """
    several = list(cfg) if isinstance(cfg, (list, tuple)) else [cfg]
    losses = [_build(each) for each in several]
    names = [loss.name for loss in losses]
    if len(set(names)) < len(names) or not names:
        raise ValueError(f'model.local_loss must name at least one loss, each once, got {names}')
    return dict(zip(names, losses, strict=True))


def _build(cfg: Any) -> DetectionLoss:
    if isinstance(cfg, DetectionLoss):
        return cfg
    settings = {'type': cfg} if isinstance(cfg, str) else cfg
    if not isinstance(settings, Mapping) or 'type' not in settings:
        raise TypeError('model.local_loss must be a name, a dict with a type, or a list of these, '
                        f'got {shown(cfg)}')
    kind = settings['type']
    DETECTION_LOSSES.import_from_location()
    known = sorted(DETECTION_LOSSES.module_dict)
    short = kind.removeprefix('auglocal_mm.') if isinstance(kind, str) else kind
    found = DETECTION_LOSSES.module_dict.get(short) if isinstance(short, str) else kind
    if not (isinstance(found, type) and issubclass(found, DetectionLoss)):
        raise ValueError(f'model.local_loss must name a local loss, got {shown(kind)}; '
                         f'registered are {", ".join(map(repr, known))}')
    if not found.name.isidentifier() or DETECTION_LOSSES.module_dict.get(found.name) is not found:
        raise TypeError(f'{found.__name__}.name must be an identifier, and the name by which the '
                        f'class is registered, got {shown(found.name)}')
    given: dict[str, Any] = {str(key): value for key, value in settings.items()
                             if key not in ('type', '_scope_')}
    faults = Faults(f'model.local_loss {found.name!r}')
    check_keys(faults, given, settings_of(found))
    faults.raise_if_any()
    return found(**given)


def plan_local_losses(plan: LocalPlan, units: Sequence[UnitSpec],
                      losses: Sequence[DetectionLoss]) -> LocalPlan:
    """Give every module of a plan the local losses of a detector.

    The modules stay those of the rule. Where it planned a network for classes of images,
    there is one for each of `losses` now, with that loss's weight. What the rule plans beside
    it (a second loss) stays.

    Raises:
        TypeError: A loss plans a network that does not end in its own head.
        ValueError: The rule's networks learn by contrast.
    """
    if any(planned.auxiliary.embeds for planned in plan.losses):
        raise ValueError("a detector's local losses do not learn by contrast; use loss='softmax' "
                         'in model.local')
    strides = strides_after(units)
    by_name = {unit.name: unit for unit in units}
    count = len(plan.losses)
    weights = [linear_weights(loss.weight, count) for loss in losses]
    spans, index = [], 0
    for span in plan.spans:
        made: list[LocalLoss] = []
        for planned in span.losses:
            site = Site(network=planned.auxiliary.layers, stride=strides[planned.unit],
                        units=by_name)
            for number, loss in enumerate(losses):
                # The loss's own λ takes the place of the rule's λ2, which may be 0 for some.
                auxiliary = AuxiliaryPlan(
                    _ending_in(loss, site), weight=weights[number][index],
                    # A second loss of the rule's own reads the unit's features once.
                    second=None if number else planned.auxiliary.second,
                    init=planned.auxiliary.init)
                key = planned.key if number == 0 else f'{planned.key}__{loss.name}'
                made.append(replace(planned, auxiliary=auxiliary, key=key))
            index += 1
        spans.append(ModulePlan(start=span.start, stop=span.stop, losses=tuple(made)))
    return LocalPlan(shapes=plan.shapes, spans=tuple(spans))




def _ending_in(loss: DetectionLoss, site: Site) -> tuple[AuxiliaryLayer, ...]:
    layers = tuple(loss.layers(site))
    if not layers or not isinstance(layers[-1], TaskHead) or layers[-1].loss != loss.name:
        raise TypeError(f'{type(loss).__name__}.layers() must end in TaskHead({loss.name!r}, …), '
                        f'got {shown(layers)}')
    return layers
