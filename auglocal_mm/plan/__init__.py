"""Plans: what trains which unit, decided before any network is built.

A plan can be printed, compared and tested without a tensor: this package
imports neither torch nor our other packages.
"""
import warnings
from typing import TYPE_CHECKING, Any

from .actions import KINDS, Action, schedule
from .auxiliary_plan import AuxiliaryPlan, SecondLoss
from .balance import balanced_modules
from .costs import Cost, Costs, network_key, together
from .dense import DENSE_CHANNELS, DENSE_STRIDE, dense_layers, strides_after
from .layers import (
    AuxiliaryLayer,
    BatchNorm,
    Block,
    Classifier,
    Conv,
    Embedding,
    FixedPooling,
    FlatPooling,
    GlobalPooling,
    HalvingPooling,
    Linear,
    OwnPooling,
    QuarterPooling,
    TaskHead,
)
from .local_plan import (
    LocalLoss,
    LocalPlan,
    ModulePlan,
    UnitRow,
    UnitShape,
    auxiliary_key,
    losses_at,
    shapes_of,
)
from .modules import (
    even_modules,
    isolated_modules,
    modules_ending_at,
    stage_ends,
    whole_module,
)
from .parallel import Assignment, assign_stages, named_modules
from .selection import (
    block_strides,
    downsampling_levels,
    pyramidal_blocks,
    sequential_selection,
    uniform_selection,
)
from .text_table import table_lines
from .timeline import Event, timeline_text
from .unit import UnitSpec
from .weights import linear_weights

__all__ = [
    'DENSE_CHANNELS', 'DENSE_STRIDE', 'KINDS', 'Action', 'Assignment', 'AuxiliaryLayer',
    'AuxiliaryPlan', 'BatchNorm', 'Block', 'Classifier', 'Conv', 'Cost', 'Costs', 'Embedding',
    'Event', 'FixedPooling', 'FlatPooling', 'GlobalPooling', 'HalvingPooling', 'Linear',
    'LocalLoss', 'LocalPlan', 'ModulePlan', 'OwnPooling', 'QuarterPooling', 'SecondLoss',
    'TaskHead', 'UnitRow', 'UnitShape', 'UnitSpec', 'assign_stages', 'auxiliary_key',
    'balanced_modules', 'block_strides', 'dense_layers', 'downsampling_levels', 'even_modules',
    'isolated_modules', 'linear_weights', 'losses_at', 'modules_ending_at', 'named_modules',
    'network_key', 'pyramidal_blocks', 'schedule', 'sequential_selection', 'shapes_of',
    'stage_ends', 'strides_after', 'table_lines', 'timeline_text', 'together',
    'uniform_selection', 'whole_module',
]

if not TYPE_CHECKING:  # A type checker would take any name for one of these.
    def __getattr__(name: str) -> Any:
        """Return what has the former name `name`, for rules written before units had theirs."""
        if name != 'LayerSpec':
            raise AttributeError(f'module {__name__!r} has no attribute {name!r}')
        warnings.warn('auglocal_mm.plan.LayerSpec is now UnitSpec; the old name will go in version '
                      '1.0', DeprecationWarning, stacklevel=2)
        return UnitSpec
