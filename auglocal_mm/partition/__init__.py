"""From a backbone to its units in order: one function per family, chosen by class."""
import warnings
from typing import TYPE_CHECKING, Any

from . import (  # noqa: F401  (each registers its family)
    convnext,
    inverted_residual,
    resnet,
    sequential,
    swin,
    vgg,
    vision_transformer,
)
from .base import (
    OPTIONAL_FAMILIES,
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
from .images import image_channels, image_side

__all__ = [
    'BlockFactory', 'Features', 'InOrder', 'PoolingFactory', 'Tokens', 'Unit', 'as_it_is',
    'feature_map', 'forward_units', 'fresh_like', 'global_pooling', 'image_channels', 'image_side',
    'join', 'partition', 'require_forward', 'requires_grad', 'submodule',
]

OPTIONAL_FAMILIES['mmdet'] = f'{__name__}.mmdet', (
    'CSPDarknet', 'CSPNeXt', 'MobileNetV2', 'PyramidVisionTransformer', 'RegNet', 'ResNet',
    'SwinTransformer')

#: Former names, for partitions of your own that were written before units had their name.
_FORMER = {'LocalLayer': Unit, 'Chain': InOrder, 'forward_layers': forward_units}

if not TYPE_CHECKING:  # A type checker would take any name for one of these.
    def __getattr__(name: str) -> Any:
        """Return what has the former name `name`."""
        if name not in _FORMER:
            raise AttributeError(f'module {__name__!r} has no attribute {name!r}')
        found = _FORMER[name]
        warnings.warn(f'auglocal_mm.partition.{name} is now {found.__name__}; the old name will go '
                      'in version 1.0', DeprecationWarning, stacklevel=2)
        return found
