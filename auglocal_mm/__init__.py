"""Supervised local learning for OpenMMLab.

Importing the package is cheap: it loads neither torch nor OpenMMLab. Each public
name below loads its module on first use, and the registries do the same when a
config names ``auglocal_mm.<Name>`` (see :mod:`auglocal_mm.registry`). Two things
take effect at import: configs may inherit ours by name, and ``mmcv.ops`` works
without compiled operators (see :mod:`auglocal_mm.operators`).
"""
from importlib import import_module
from typing import Any

from ._config_scope import install as _install_config_scope
from ._moved import install as _install_moved
from .operators import install as _install_operators
from .version import __version__

_install_config_scope()
_install_operators()
_install_moved()

_HOME = {
    'AugLocal': '.rules',
    'Backprop': '.rules',
    'DGL': '.rules',
    'InfoPro': '.rules',
    'PredSim': '.rules',
    'LocalImageClassifier': '.models',
    'EfficientNetCIFAR': '.models',
    'MobileNetV2CIFAR': '.models',
    'RegNetCIFAR': '.models',
    'ResNetCIFAR': '.models',
    'AugLocalOptimWrapper': '.engine',
    'LocalDistributedDataParallel': '.engine',
    'AuxiliaryHeadHook': '.engine',
    'ChannelsLastHook': '.engine',
    'CheckpointHook': '.engine',
    'EpochBasedTrainLoop': '.engine',
    'IterBasedTrainLoop': '.engine',
    'RandomStateHook': '.engine',
    'VerifyPretrainedHook': '.engine',
    'Digits': '.datasets',
    'ImageFolder': '.datasets',
    'STL10': '.datasets',
    'SVHN': '.datasets',
    'partition': '.partition',
    'plan': '.plan',
}

__all__ = ['__version__', *_HOME]


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f'module {__name__!r} has no attribute {name!r}')
    home = import_module(_HOME[name], __name__)
    if _HOME[name] == f'.{name}':
        return home
    return getattr(home, name)


def __dir__() -> list[str]:
    return sorted(__all__)
