"""What the modules of a model cost in a training step, as the simulation needs it."""
from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from math import isfinite
from pathlib import Path
from typing import Any

from auglocal_mm.config.shipped import config_path
from auglocal_mm.files import FileError


def config_name(config: str) -> str:
    """Return a config's name with that of its folder: methods have configs of the same name.

    Args:
        config: A path, or ``package::name``.

    Raises:
        FileNotFoundError: There is no such config.
    """
    return '/'.join(Path(config_path(config)).resolve().parts[-2:])


@dataclass(frozen=True, kw_only=True)
class ModuleCost:
    """What one module costs for a whole batch.

    Attributes:
        name: Name of the unit at its end.
        seconds: Forward and backward pass with its auxiliary networks.
        bp_forward: Seconds of the forward pass without them, as in back-propagation.
        bp_backward: Seconds of the backward pass without them.
        boundary_bytes: Bytes of the carry that goes on to the next module.
        parameter_bytes: Bytes of all that is trained in it.
        bp_parameter_bytes: The same without auxiliary networks.
        kept_bytes: Bytes that it keeps for its backward pass.
        bp_kept_bytes: Bytes that back-propagation keeps in addition for its units.
        cut: Whether a stage may end after it: it has a boundary.
    """
    name: str
    seconds: float
    bp_forward: float
    bp_backward: float
    boundary_bytes: float
    parameter_bytes: float
    bp_parameter_bytes: float
    kept_bytes: float
    bp_kept_bytes: float
    cut: bool = True

    def __post_init__(self) -> None:
        for field in fields(self):
            value = getattr(self, field.name)
            if field.name not in ('name', 'cut') and not (
                    isinstance(value, (int, float)) and isfinite(value) and value >= 0):
                raise ValueError(f'{field.name} of module {self.name} must be a finite number of '
                                 f'at least 0, got {value!r}')

    @property
    def bp_seconds(self) -> float:
        """Seconds of both passes in back-propagation."""
        return self.bp_forward + self.bp_backward


@dataclass(frozen=True, kw_only=True)
class ModelCosts:
    """What a model costs, module by module.

    Attributes:
        modules: Every module in the order of the forward pass.
        batch_size: Number of images that the costs are of.
        units: Number of units, the paper's L + 1.
        depth: Number of layers with weights in the deepest auxiliary network, the paper's d.
        copies: Bytes of weights, gradients and optimizer state for each byte of parameters.
        source: Where the seconds come from, in words.
        config: Name of the config, see :func:`config_name`; empty if nobody knows.
    """
    modules: tuple[ModuleCost, ...]
    batch_size: int
    units: int
    depth: int
    copies: float = 3.0
    source: str = ''
    config: str = ''

    def __post_init__(self) -> None:
        if not self.modules or sum(module.seconds for module in self.modules) <= 0 or sum(
                module.bp_seconds for module in self.modules) <= 0:
            raise ValueError('costs must have at least 1 module that takes time, got '
                             f'{len(self.modules)} modules')
        for name in ('batch_size', 'units', 'depth', 'copies'):
            least = 0 if name == 'depth' else 1
            if not getattr(self, name) >= least:
                raise ValueError(f'{name} must be at least {least}, got {getattr(self, name)}')

    @property
    def seconds(self) -> float:
        """Seconds of one local training step on one rank."""
        return sum(module.seconds for module in self.modules)

    @property
    def bp_seconds(self) -> float:
        """Seconds of one step of back-propagation on one rank."""
        return sum(module.bp_seconds for module in self.modules)

    @property
    def ends(self) -> tuple[int, ...]:
        """Indices of the modules after which a stage may end."""
        last = len(self.modules) - 1
        return tuple(index for index, module in enumerate(self.modules)
                     if module.cut or index == last)

    def local_bytes(self, modules: range, *, replicas: int = 1, queue: int = 0) -> float:
        """Return the bytes of a rank that trains some of the modules locally.

        These are weights, gradients and optimizer state; what the largest module keeps for its
        backward pass, because each is freed before the next runs; and full queues of carries.

        Args:
            modules: The modules.
            replicas: Number of ranks that share the batch.
            queue: Largest number of carries between two ranks.
        """
        own = self.modules[modules.start:modules.stop]
        carries = [self.modules[border].boundary_bytes
                   for border in (modules.start - 1, modules.stop - 1)
                   if 0 <= border < len(self.modules) - 1]
        kept = max(module.kept_bytes for module in own) + queue * sum(carries)
        return self.copies * sum(module.parameter_bytes for module in own) + kept / replicas

    def bp_bytes(self, modules: range, *, share: float = 1.0) -> float:
        """Return the bytes of a rank that trains some of the modules by back-propagation.

        Args:
            modules: The modules.
            share: The share of the batch for which all of them keep their activations at once.
        """
        own = self.modules[modules.start:modules.stop]
        return (self.copies * sum(module.bp_parameter_bytes for module in own)
                + share * sum(module.bp_kept_bytes for module in own))

    def to_dict(self) -> dict[str, Any]:
        """Return plain dicts, lists, numbers and strings."""
        return asdict(self)

    @classmethod
    def from_dict(cls, data: Mapping[str, Any], path: str) -> ModelCosts:
        """Invert :meth:`to_dict`.

        Args:
            data: What was read.
            path: The file that it was read from, for errors.

        Raises:
            FileError: A key is missing or unknown, or a value impossible.
        """
        try:
            modules: Sequence[Mapping[str, Any]] = data['modules']
            return cls(**{**data, 'modules': tuple(ModuleCost(**each) for each in modules)})
        except (KeyError, TypeError, ValueError) as fault:
            raise FileError(f'{path} does not hold the costs of modules ({fault}); make it with '
                            '--out, or with --measure --out') from fault
