"""AugLocal: auxiliary networks built like the layers that follow (ICLR 2024)."""
from __future__ import annotations

from collections.abc import Sequence

from auglocal_mm.plan import (
    AuxiliaryPlan,
    BlockPlan,
    LayerPlan,
    LayerSpec,
    LocalPlan,
    block_strides,
    downsampling_levels,
    even_modules,
    isolated_modules,
    pyramidal_blocks,
    uniform_selection,
)
from auglocal_mm.registry import LOCAL_RULES
from auglocal_mm.validation import Faults, is_int

from .base import LocalRule


@LOCAL_RULES.register_module()
class AugLocal(LocalRule):
    """Each local layer learns through a shallow copy of the network behind it.

    The auxiliary network of a unit is built like layers chosen evenly from the
    ones that follow it (section 3.2), and gets shallower with depth (section
    3.3). Every local loss is the head's own loss with weight 1.

    Args:
        depth: Layers d of the first auxiliary network, its classifier
            included, so d − 1 blocks; at least 2.
        tau: Pyramidal coefficient τ in [0, 1]; 0 keeps every network at `depth`.
        modules: Number K of local modules. ``None`` isolates every unit but
            the last d, which form the last module (the paper's CIFAR
            set-up, K = N − d + 1). A number from 2 to N splits the N units
            evenly; N isolates all (the paper's ImageNet set-up).
        batch_norm_before_fc: Whether auxiliary networks planned with one block
            have a BatchNorm1d before their classifier, as the paper's CIFAR
            runs had and its ImageNet runs had not.

    Raises:
        ValueError: A value out of its bound; all faults are listed.
    """

    def __init__(self, depth: int, tau: float = 0.5, modules: int | None = None,
                 batch_norm_before_fc: bool = True) -> None:
        faults = Faults('AugLocal')
        faults.add_unless(
            is_int(depth) and depth >= 2,
            f'depth must be an integer of at least 2 (one block and the classifier), got {depth!r}')
        faults.add_unless(
            isinstance(tau, (int, float)) and not isinstance(tau, bool) and 0 <= tau <= 1,
            f'tau must be in [0, 1] (0: no pyramid), got {tau!r}')
        faults.add_unless(
            modules is None or (is_int(modules) and modules >= 2),
            f'modules must be None or an integer of at least 2, got {modules!r}; for one module, '
            'which is back-propagation, use the plain ImageClassifier')
        faults.add_unless(isinstance(batch_norm_before_fc, bool),
                          'batch_norm_before_fc must be True or False, got '
                          f'{batch_norm_before_fc!r}')
        faults.raise_if_any()
        self.depth = depth
        self.tau = tau
        self.modules = modules
        self.batch_norm_before_fc = batch_norm_before_fc

    def plan(self, layers: Sequence[LayerSpec]) -> LocalPlan:
        """See :meth:`LocalRule.plan`. Frozen modules get no auxiliary network."""
        modules = self._assign_modules(len(layers))
        ends = [unit for unit in range(len(layers) - 1) if modules[unit] != modules[unit + 1]]
        taught = [end for end in ends if any(
            layer.trainable for layer, module in zip(layers, modules, strict=True)
            if module == modules[end])]
        counts = pyramidal_blocks(self.depth - 1, self.tau, len(taught) + 1)
        auxiliaries = {unit: self._plan_auxiliary(unit, count, layers)
                       for unit, count in zip(taught, counts, strict=True)}
        return LocalPlan(tuple(
            LayerPlan(layer.name, layer.channels, layer.stride, modules[unit],
                      auxiliaries.get(unit)) for unit, layer in enumerate(layers)))

    def _assign_modules(self, units: int) -> tuple[int, ...]:
        faults = Faults(f'AugLocal on a backbone of {units} local layers')
        if self.modules is None:
            faults.add_unless(
                self.depth <= units - 1,
                f'depth must be at most {units - 1} so that two modules are left, got '
                f'{self.depth}; lower it or set modules')
            faults.raise_if_any()
            return isolated_modules(units, self.depth - 1)
        faults.add_unless(self.modules <= units,
                          f'modules must be at most {units}, one per layer, got {self.modules}')
        faults.raise_if_any()
        return even_modules(units, self.modules)

    def _plan_auxiliary(self, unit: int, blocks: int,
                        layers: Sequence[LayerSpec]) -> AuxiliaryPlan:
        chosen = uniform_selection(unit, blocks, len(layers))
        strides = block_strides(unit, chosen, downsampling_levels(layers))
        return AuxiliaryPlan(
            blocks=tuple(BlockPlan(layers[index].name, layers[index].channels, stride)
                         for index, stride in zip(chosen, strides, strict=True)),
            batch_norm_before_fc=self.batch_norm_before_fc and blocks <= 1)
