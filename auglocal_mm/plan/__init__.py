"""Plans: what trains which unit, decided before any network is built.

A plan can be printed, compared and tested without a tensor: this package
imports neither torch nor our other packages.
"""
from .auxiliary_plan import AuxiliaryPlan, SecondLoss
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
from .modules import even_modules, isolated_modules, whole_module
from .selection import (
    block_strides,
    downsampling_levels,
    pyramidal_blocks,
    sequential_selection,
    uniform_selection,
)
from .text_table import table_lines
from .unit import UnitSpec
from .weights import linear_weights

#: Former name of :class:`UnitSpec`, for rules written before units had their name.
LayerSpec = UnitSpec

__all__ = [
    'AuxiliaryLayer', 'AuxiliaryPlan', 'BatchNorm', 'Block', 'Classifier', 'Conv', 'Embedding',
    'FixedPooling', 'FlatPooling', 'GlobalPooling', 'HalvingPooling', 'LayerSpec', 'Linear',
    'LocalLoss', 'LocalPlan', 'ModulePlan', 'OwnPooling', 'QuarterPooling', 'SecondLoss',
    'UnitRow', 'UnitShape', 'UnitSpec', 'auxiliary_key', 'block_strides', 'downsampling_levels',
    'even_modules', 'isolated_modules', 'linear_weights', 'losses_at', 'pyramidal_blocks',
    'sequential_selection', 'shapes_of', 'table_lines', 'uniform_selection', 'whole_module',
]
