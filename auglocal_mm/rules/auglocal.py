"""AugLocal: auxiliary networks built like the layers that follow (ICLR 2024)."""
from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from auglocal_mm.plan import (
    AuxiliaryLayer,
    AuxiliaryPlan,
    BatchNorm,
    Block,
    Classifier,
    Conv,
    FlatPooling,
    GlobalPooling,
    HalvingPooling,
    Linear,
    OwnPooling,
    UnitSpec,
    block_strides,
    downsampling_levels,
    isolated_modules,
    linear_weights,
    pyramidal_blocks,
    sequential_selection,
    uniform_selection,
)
from auglocal_mm.registry import LOCAL_RULES
from auglocal_mm.validation import Faults, check_bool, check_choice, is_number, shown

from .base import LocalRule, Modules
from .dgl import dgl_layers
from .settings import (
    check_balance,
    check_depth,
    check_lambda,
    check_modules,
    check_second_loss,
    check_width,
    scaled,
    second_losses,
)

SELECTIONS = ('uniform', 'sequential', 'repetitive', 'dgl')
BLOCKS = ('same', 'conv3x3')
#: Size of the hidden layers in the paper's VGG heads; VGG itself has 4,096.
MLP = 512


@LOCAL_RULES.register_module()
class AugLocal(LocalRule):
    """Each unit learns through a shallow copy of the network after it.

    The auxiliary network of a unit is built like layers chosen evenly from the
    ones that follow it (section 3.2), and gets shallower with depth (section
    3.3). Every local loss is the head's own loss with weight 1.

    `selection`, `downsample` and `block` take one value, or one per stage of the
    backbone (Table 5).

    Args:
        depth: Number d of layers in the first auxiliary network, including its
            classifier, so d − 1 blocks; at least 2.
        tau: Pyramidal coefficient τ in [0, 1]; 0 keeps every network at `depth`.
        modules: Where modules end. ``None`` isolates every unit but
            the last d, which form the last module (the paper's CIFAR
            set-up, K = N − d + 1). A number K from 2 to N splits the N units
            evenly; N isolates all (the paper's ImageNet set-up). ``'stages'`` ends
            a module with each stage, a list of names with each of these units.
        batch_norm_before_fc: Whether auxiliary networks planned with one block
            have a BatchNorm1d before their classifier, as in the paper's CIFAR
            runs but not in its ImageNet runs.
        selection: Which units blocks are built like: ``'uniform'``, units spread
            evenly up to the last; ``'sequential'``, the next units;
            ``'repetitive'``, the unit itself. Or ``'dgl'``, DGL's auxiliary
            network instead.
        downsample: Whether blocks halve the resolution where the units they
            stand for do; with ``'repetitive'``, whether the first block does.
        block: ``'same'``, blocks of the units' own kind, or ``'conv3x3'``,
            convolutions with their channels, after 2×2 average pooling where they
            halve the resolution.
        width: Factor on the blocks' channels.
        head: ``'linear'``, or ``'mlp'``: two hidden layers of 512, as in the
            paper's auxiliary networks for VGG on ImageNet.
        init: ``'kaiming'``, section 5 of the appendix, or ``'pytorch'``, as in
            the paper's auxiliary networks for VGG on ImageNet.
        second_loss: ``None``, ``'reconstruction'`` (Table 8) or ``'similarity'``.
        lambda1: Weight of the second loss, (first module, last one).
        lambda2: Weight of the head's own loss, (first module, last one).
        balance: See :attr:`LocalRule.balance`; for a number of `modules`.

    Raises:
        ValueError: A value out of its bound; all faults are listed.
    """

    def __init__(self, depth: int, tau: float = 0.5, modules: Modules = None,
                 batch_norm_before_fc: bool = True, selection: str | Sequence[str] = 'uniform',
                 downsample: bool | Sequence[bool] = True, block: str | Sequence[str] = 'same',
                 width: float = 1.0, head: str = 'linear', init: str = 'kaiming',
                 second_loss: str | None = None, lambda1: Sequence[float] | None = None,
                 lambda2: Sequence[float] = (1.0, 1.0), balance: str = 'units') -> None:
        faults = Faults('AugLocal')
        check_depth(faults, depth, 2, 'one block and the classifier')
        faults.add_unless(is_number(tau) and 0 <= tau <= 1,
                          f'tau must be in [0, 1] (0: no pyramid), got {shown(tau)}')
        check_modules(faults, modules)
        check_balance(faults, balance, modules)
        check_bool(faults, 'batch_norm_before_fc', batch_norm_before_fc)
        for name, values, choices in (('selection', selection, SELECTIONS),
                                      ('downsample', downsample, (True, False)),
                                      ('block', block, BLOCKS)):
            for value in values if isinstance(values, (list, tuple)) else [values]:
                check_choice(faults, name, value, choices)
        check_width(faults, width)
        check_choice(faults, 'head', head, ('linear', 'mlp'))
        check_choice(faults, 'init', init, ('kaiming', 'pytorch'))
        check_second_loss(faults, second_loss, lambda1)
        check_lambda(faults, 'lambda2', lambda2)
        faults.raise_if_any()
        self.depth = depth
        self.tau = tau
        self.modules = modules
        self.balance = balance
        self.batch_norm_before_fc = batch_norm_before_fc
        self.selection = selection
        self.downsample = downsample
        self.block = block
        self.width = width
        self.head = head
        self.init = init
        self.second_loss = second_loss
        self.lambda1 = lambda1
        self.lambda2 = lambda2

    def assign_modules(self, count: int) -> tuple[int, ...]:
        """See :meth:`LocalRule.assign_modules`."""
        if self.modules is not None:
            return super().assign_modules(count)
        faults = Faults(f'AugLocal on a backbone of {count} units')
        faults.add_unless(
            self.depth <= count - 1,
            f'depth must be at most {count - 1} so that two modules are left, got '
            f'{self.depth}; lower it or set modules')
        faults.raise_if_any()
        return isolated_modules(count, self.depth - 1)

    def plan_auxiliaries(self, taught: Sequence[int],
                         units: Sequence[UnitSpec]) -> Sequence[AuxiliaryPlan]:
        """See :meth:`LocalRule.plan_auxiliaries`."""
        self._check_stages(units[-1].stage)
        counts = pyramidal_blocks(self.depth - 1, self.tau, len(taught) + 1)
        weights = linear_weights(self.lambda2, len(taught))
        seconds = second_losses(self.second_loss, self.lambda1, len(taught))
        return [AuxiliaryPlan(self._network(unit, count, units), weight=weight, second=second,
                              init=self.init)
                for unit, count, weight, second in zip(taught, counts, weights, seconds,
                                                       strict=True)]

    def _check_stages(self, stages: int) -> None:
        faults = Faults(f'AugLocal on a backbone of {stages} stages')
        for name in ('selection', 'downsample', 'block'):
            value = getattr(self, name)
            faults.add_unless(
                not isinstance(value, (list, tuple)) or len(value) == stages,
                f'{name} must be one value or {stages}, one per stage, got {shown(value)}')
        faults.raise_if_any()

    def _network(self, unit: int, count: int,
                 units: Sequence[UnitSpec]) -> tuple[AuxiliaryLayer, ...]:
        stage = units[unit].stage
        selection = _of_stage(self.selection, stage)
        if selection == 'dgl':
            return dgl_layers(units[unit].channels)
        blocks = self._blocks(unit, count, units, selection, _of_stage(self.downsample, stage))
        if _of_stage(self.block, stage) == 'same':
            source = next(each for each in units if each.name == blocks[-1].source)
            return (*blocks, *self._head(count, OwnPooling(source.name, source.pooling)))
        convs: list[AuxiliaryLayer] = []
        for block in blocks:
            convs += [HalvingPooling()] * (block.stride - 1)
            convs.append(Conv(block.channels))
        return (*convs, *self._head(count, GlobalPooling()))

    def _blocks(self, unit: int, count: int, units: Sequence[UnitSpec], selection: str,
                downsample: bool) -> list[Block]:
        if selection == 'repetitive':
            # A stem is no block: it repeats the first block after it instead.
            source = next((each for each in units[unit:] if each.repeatable), units[unit])
            channels = self._scaled(units[unit], source)
            return [Block(source.name, channels, 2 if downsample and not number else 1,
                          source.symbol) for number in range(count)]
        select = uniform_selection if selection == 'uniform' else sequential_selection
        chosen = select(unit, count, len(units))
        # VGG's networks pool once at each change of channels, as the paper's appendix prints them.
        if units[unit].halves_with_width:
            widths = [units[index].channels for index in (unit, *chosen)]
            strides = tuple(1 + (a != b) for a, b in zip(widths, widths[1:], strict=False))
        else:
            strides = block_strides(unit, chosen, downsampling_levels(units))
        return [Block(units[index].name, self._scaled(units[index], units[index]),
                      stride if downsample else 1, units[index].symbol)
                for index, stride in zip(chosen, strides, strict=True)]

    def _scaled(self, unit: UnitSpec, source: UnitSpec) -> int:
        """Return the channels of a block like `source` that stands for `unit`."""
        # Convolutions can have any number of channels, whatever the backbone has.
        free = _of_stage(self.block, unit.stage) == 'conv3x3'
        granularity = 1 if free else source.granularity
        channels = scaled(unit.channels, self.width, granularity)
        if self.width != 1 and channels == unit.channels and granularity > 1:
            raise ValueError(
                f'width={self.width} does not change a block like {source.name}: its channels come '
                f'in steps of {granularity} and it has {unit.channels}; use width=1.0 or '
                "block='conv3x3' in model.local")
        return channels

    def _head(self, count: int,
              pooling: OwnPooling | GlobalPooling) -> tuple[AuxiliaryLayer, ...]:
        if self.head == 'mlp':
            return (FlatPooling(MLP), Linear(MLP), Linear(MLP), Classifier())
        # The quirk of the paper's CIFAR code; its ImageNet code has no such norm.
        norm = [BatchNorm()] if self.batch_norm_before_fc and count <= 1 else []
        return (pooling, *norm, Classifier())


def _of_stage(value: Any, stage: int) -> Any:
    return value[stage - 1] if isinstance(value, (list, tuple)) else value
