"""From a backbone to its units in order: one function per family, chosen by class."""
from . import (  # noqa: F401  (each registers its family)
    convnext,
    inverted_residual,
    resnet,
    sequential,
    vgg,
    vision_transformer,
)
from .base import (
    BlockFactory,
    InOrder,
    PoolingFactory,
    Unit,
    as_it_is,
    forward_units,
    global_pooling,
    join,
    partition,
    require_forward,
    submodule,
)
from .features import Features, Tokens, feature_map, requires_grad
from .fresh import fresh_like
from .images import image_channels

#: Former names, for partitions of your own that were written before units had their name.
LocalLayer, Chain, forward_layers = Unit, InOrder, forward_units

__all__ = [
    'BlockFactory', 'Features', 'InOrder', 'PoolingFactory', 'Tokens', 'Unit', 'as_it_is',
    'feature_map', 'forward_units', 'fresh_like', 'global_pooling', 'image_channels', 'join',
    'partition', 'require_forward', 'requires_grad', 'submodule',
]
