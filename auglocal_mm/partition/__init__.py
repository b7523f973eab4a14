"""From a backbone to ordered local layers: one function per family, chosen by class."""
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
    Chain,
    LocalLayer,
    PoolingFactory,
    as_it_is,
    forward_layers,
    global_pooling,
    join,
    partition,
    require_forward,
)
from .features import Features, Tokens, feature_map, requires_grad
from .fresh import fresh_like

__all__ = [
    'BlockFactory', 'Chain', 'Features', 'LocalLayer', 'PoolingFactory', 'Tokens', 'as_it_is',
    'feature_map', 'forward_layers', 'fresh_like', 'global_pooling', 'join', 'partition',
    'require_forward', 'requires_grad',
]
