"""Plans: what trains which layer, decided before any network is built.

A plan can be printed, compared and tested without a tensor: this package
imports neither torch nor our other packages.
"""
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
    LayerSpec,
    Linear,
    OwnPooling,
    QuarterPooling,
)
from .local_plan import AuxiliaryPlan, LayerPlan, LocalPlan, SecondLoss, table_lines
from .modules import even_modules, isolated_modules, whole_module
from .selection import (
    block_strides,
    downsampling_levels,
    pyramidal_blocks,
    sequential_selection,
    uniform_selection,
)
from .weights import linear_weights

__all__ = [
    'AuxiliaryLayer', 'AuxiliaryPlan', 'BatchNorm', 'Block', 'Classifier', 'Conv', 'Embedding',
    'FixedPooling', 'FlatPooling', 'GlobalPooling', 'HalvingPooling', 'LayerPlan', 'LayerSpec',
    'Linear', 'LocalPlan', 'OwnPooling', 'QuarterPooling', 'SecondLoss', 'block_strides',
    'downsampling_levels', 'even_modules', 'isolated_modules', 'linear_weights',
    'pyramidal_blocks', 'sequential_selection', 'table_lines', 'uniform_selection', 'whole_module',
]
