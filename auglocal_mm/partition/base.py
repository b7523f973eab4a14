"""From a backbone to its units in order, by class.

A partition lists callables that, chained, are the backbone's own forward pass.
It holds no modules. Every callable looks up the modules that it applies by their
dotted path in the backbone that it is given, so a copied model (EMA) or one whose
norms were replaced (SyncBN) keeps working.
"""
from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import KW_ONLY, dataclass
from functools import singledispatch
from importlib import import_module
from typing import Any, Protocol

from torch import Tensor, nn

from auglocal_mm.plan import UnitSpec

from .features import Features

#: Packages that are options: the module that registers their families when one of their
#: backbones is met, and the names of these.
OPTIONAL_FAMILIES: dict[str, tuple[str, tuple[str, ...]]] = {}


class BlockFactory(Protocol):
    """Builds a fresh block like a unit, for other channels and stride."""

    def __call__(self, backbone: nn.Module, *, in_channels: int, out_channels: int,
                 stride: int) -> nn.Module:
        ...


class PoolingFactory(Protocol):
    """Builds the step from features with `channels` channels to vectors [B, channels]."""

    def __call__(self, backbone: nn.Module, *, channels: int) -> nn.Module:
        ...


def global_pooling(backbone: nn.Module | None = None, *, channels: int = 0) -> nn.Module:
    """Build the average over all positions: [B, C, H, W] -> [B, C]."""
    return nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten(1))


@dataclass(frozen=True)
class Unit:
    """The smallest part of a backbone that can be trained by itself.

    Attributes:
        name: Dotted path, or ``stem``.
        channels: Channels of its output.
        stride: Factor by which it shrinks each side of its input.
        paths: Dotted paths of the modules and parameters that it owns.
        forward: ``forward(backbone, x) -> y``, from feature maps [B, C, H, W] or
            tokens to the input of the next unit.
        outputs: What the backbone's forward returns from y, in order:
            callables ``(backbone, y) -> output``.
        build_block: Builds an auxiliary block like this unit; ``None`` if that is
            impossible, as for a stem.
        build_pooling: Builds the step from features like y to a vector, as the
            backbone and its neck take it before a classifier.
        stage: Number of its stage, from 1.
        symbol: Name of a block like it in a plan.
        granularity: Channels of a block like it are a multiple of this.
        halves_with_width: Whether auxiliary networks halve the resolution once at
            every change of channels.
        pooling: Name of `build_pooling` in a plan.
    """
    name: str
    channels: int
    stride: int
    paths: tuple[str, ...]
    forward: Callable[[nn.Module, Any], Features]
    _: KW_ONLY
    outputs: tuple[Callable[[nn.Module, Any], Any], ...] = ()
    build_block: BlockFactory | None = None
    build_pooling: PoolingFactory = global_pooling
    stage: int = 1
    symbol: str = 'R'
    granularity: int = 1
    halves_with_width: bool = False
    pooling: str = 'AP'

    def parts(self, backbone: nn.Module) -> list[nn.Module | nn.Parameter]:
        """Return what the unit owns in `backbone`: modules, and parameters that stand alone."""
        # A path may name a parameter itself: a class token, a position embedding.
        split = (path.rpartition('.') for path in self.paths)
        return [getattr(backbone.get_submodule(owner), name) for owner, _, name in split]

    def modules(self, backbone: nn.Module) -> list[nn.Module]:
        """Return the unit's modules in `backbone`."""
        return [part for part in self.parts(backbone) if isinstance(part, nn.Module)]

    def parameters(self, backbone: nn.Module) -> list[nn.Parameter]:
        """Return the unit's parameters in `backbone`."""
        return [parameter for part in self.parts(backbone) for parameter in (
            part.parameters() if isinstance(part, nn.Module) else [part])]

    def spec(self, backbone: nn.Module) -> UnitSpec:
        """Return the unit's shape, for planning."""
        return UnitSpec(
            self.name, self.channels, self.stride,
            trainable=any(parameter.requires_grad for parameter in self.parameters(backbone)),
            stage=self.stage, symbol=self.symbol, repeatable=self.build_block is not None,
            granularity=self.granularity, halves_with_width=self.halves_with_width,
            pooling=self.pooling)


def submodule(root: nn.Module, path: str) -> nn.Module:
    """Return the module at a dotted path, as ``root.get_submodule(path)`` does.

    Every unit asks for its modules in every step, so this takes plain dictionary look-ups.
    What is found is never kept: a copied model (EMA) or a replaced norm (SyncBN) must be
    found by the next call.
    """
    found: Any = root
    try:
        for name in path.split('.'):
            found = found._modules[name]
    except KeyError:  # a property such as mmpretrain's `norm1`, or an error that torch words
        return root.get_submodule(path)
    return found


@dataclass(frozen=True)
class InOrder:
    """Applies the modules at these dotted paths one after another."""
    paths: tuple[str, ...]

    def __call__(self, backbone: nn.Module, x: Tensor) -> Tensor:
        for path in self.paths:
            x = submodule(backbone, path)(x)
        return x


def as_it_is(backbone: nn.Module, y: Tensor) -> Tensor:
    """Return the unit's own features as an output."""
    return y


def forward_units(units: Sequence[Unit], backbone: nn.Module, x: Any,
                  ) -> tuple[Features, list[Any]]:
    """Run consecutive units.

    Returns:
        The last unit's features, and the outputs that the backbone's own
        forward would return.
    """
    outputs = []
    for unit in units:
        x = unit.forward(backbone, x)
        outputs += [output(backbone, x) for output in unit.outputs]
    return x, outputs


def join(units: Sequence[Unit], backbone: nn.Module) -> Callable[[Tensor], Any]:
    """Invert :func:`partition`: return one callable that equals ``backbone.forward``."""
    def forward(x: Tensor) -> Any:
        outputs = forward_units(units, backbone, x)[1]
        # torch's own Sequential returns a tensor, OpenMMLab's backbones a tuple, of which mmdet's
        # transformers make a list; no neck minds.
        return outputs[0] if isinstance(backbone, nn.Sequential) else tuple(outputs)
    return forward


@singledispatch
def partition(backbone: nn.Module) -> tuple[Unit, ...]:
    """Cut a backbone into its units, in the order of the forward pass.

    To add another family, register a function for its class
    (``docs/backbones.md``)::

        @partition.register
        def _(backbone: MyBackbone) -> tuple[Unit, ...]: ...

    Raises:
        TypeError: No function is registered for the backbone's class, or the
            class has a forward pass of its own that the function does not know.
    """
    for package in {cls.__module__.split('.')[0] for cls in type(backbone).__mro__}:
        if package in OPTIONAL_FAMILIES:
            import_module(OPTIONAL_FAMILIES[package][0])
    cut = partition.dispatch(type(backbone))
    if cut is partition.dispatch(object):
        raise unsupported(backbone)
    return cut(backbone)


def require_forward(backbone: nn.Module, *known: type[nn.Module]) -> None:
    """Refuse a subclass whose forward pass differs from those of the `known` classes.

    Raises:
        TypeError: The subclass has its own forward pass.
    """
    # A subclass inherits the registration of its base, but perhaps not its forward pass.
    if type(backbone).forward not in [cls.forward for cls in known]:
        raise unsupported(backbone)


def unsupported(backbone: nn.Module) -> TypeError:
    """Return the error for a backbone that cannot be cut."""
    classes = {cls.__name__ for cls in partition.registry if cls is not object
               and cls.__module__.split('.')[0] not in OPTIONAL_FAMILIES}
    names = [*sorted(classes), *(f'{package}.{name}' for package, (_, families) in
                                 OPTIONAL_FAMILIES.items() for name in families)]
    return TypeError(
        f'local learning does not know how to cut {type(backbone).__name__} into units; '
        f'supported are {", ".join(names)} and what inherits their stages and forward. Write a '
        'function that returns its Units and register it with '
        '@auglocal_mm.partition.partition.register (docs/backbones.md)')
