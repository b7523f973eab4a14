"""Supervised local learning for OpenMMLab.

Importing the package is cheap: it loads neither torch nor OpenMMLab. Each public
name below loads its module on first use, and the registries do the same when a
config names ``auglocal_mm.<Name>`` (see :mod:`auglocal_mm.registry`). Two things
take effect at import: configs may inherit ours by name, and ``mmcv.ops`` works
without compiled operators (see :mod:`auglocal_mm.operators`).
"""
from importlib import import_module
from typing import TYPE_CHECKING, Any

from ._config_scope import install as _install_config_scope
from ._moved import install as _install_moved
from .operators import install as _install_operators
from .version import __version__

if TYPE_CHECKING:  # The table below, for tools that read code without running it.
    from . import partition, plan
    from .checkpoints import export_backbone, read_checkpoint
    from .datasets import STL10, SVHN, Digits, DigitScenes, ImageFolder, PaddedRandomCrop
    from .engine import (
        AugLocalOptimWrapper,
        AuxiliaryHeadHook,
        ChannelsLastHook,
        CheckpointHook,
        DeviceAugmentHook,
        EpochBasedTrainLoop,
        FrozenBackboneHook,
        IterBasedTrainLoop,
        LocalDistributedDataParallel,
        LocalPipelineParallel,
        ModuleSeedHook,
        RandomStateHook,
        ReuseMemoryHook,
        VerifyPretrainedHook,
        WarmupCosineLR,
        WholeFiles,
    )
    from .engine.seed_worker import seed_worker
    from .losses import FeatureLoss
    from .models import (
        EfficientNetCIFAR,
        LocalDetector,
        LocalImageClassifier,
        MobileNetV2CIFAR,
        RegNetCIFAR,
        ResNetCIFAR,
    )
    from .rules import DGL, AugLocal, Backprop, InfoPro, LocalRule, PredSim
    from .tasks.detection import DetectionLoss

_install_config_scope()
_install_operators()
_install_moved()

_HOME = {
    'AugLocal': '.rules',
    'Backprop': '.rules',
    'DGL': '.rules',
    'InfoPro': '.rules',
    'LocalRule': '.rules',
    'PredSim': '.rules',
    'FeatureLoss': '.losses',
    'DetectionLoss': '.tasks.detection',
    'EfficientNetCIFAR': '.models',
    'LocalDetector': '.models',
    'LocalImageClassifier': '.models',
    'MobileNetV2CIFAR': '.models',
    'RegNetCIFAR': '.models',
    'ResNetCIFAR': '.models',
    'AugLocalOptimWrapper': '.engine',
    'AuxiliaryHeadHook': '.engine',
    'ChannelsLastHook': '.engine',
    'CheckpointHook': '.engine',
    'DeviceAugmentHook': '.engine',
    'EpochBasedTrainLoop': '.engine',
    'FrozenBackboneHook': '.engine',
    'IterBasedTrainLoop': '.engine',
    'LocalDistributedDataParallel': '.engine',
    'LocalPipelineParallel': '.engine',
    'ModuleSeedHook': '.engine',
    'RandomStateHook': '.engine',
    'ReuseMemoryHook': '.engine',
    'VerifyPretrainedHook': '.engine',
    'WarmupCosineLR': '.engine',
    'seed_worker': '.engine.seed_worker',
    'WholeFiles': '.engine',
    'DigitScenes': '.datasets',
    'Digits': '.datasets',
    'ImageFolder': '.datasets',
    'PaddedRandomCrop': '.datasets',
    'STL10': '.datasets',
    'SVHN': '.datasets',
    'export_backbone': '.checkpoints',
    'read_checkpoint': '.checkpoints',
    'partition': '.partition',
    'plan': '.plan',
}

# Written out: type checkers and editors read a list, but not an expression.
__all__ = [
    'AugLocal', 'AugLocalOptimWrapper', 'AuxiliaryHeadHook', 'Backprop', 'ChannelsLastHook',
    'CheckpointHook', 'DGL', 'DetectionLoss', 'DeviceAugmentHook', 'DigitScenes', 'Digits',
    'EfficientNetCIFAR', 'EpochBasedTrainLoop', 'FeatureLoss', 'FrozenBackboneHook',
    'ImageFolder', 'InfoPro', 'IterBasedTrainLoop', 'LocalDetector',
    'LocalDistributedDataParallel', 'LocalImageClassifier', 'LocalPipelineParallel', 'LocalRule',
    'MobileNetV2CIFAR', 'ModuleSeedHook', 'PaddedRandomCrop', 'PredSim', 'RandomStateHook',
    'RegNetCIFAR', 'ResNetCIFAR', 'ReuseMemoryHook', 'STL10', 'SVHN', 'VerifyPretrainedHook',
    'WarmupCosineLR',
    'WholeFiles', '__version__',
    'export_backbone', 'partition', 'plan', 'read_checkpoint', 'seed_worker',
]

if not TYPE_CHECKING:  # Otherwise type checkers would take every misspelt name for an Any.
    def __getattr__(name: str) -> Any:
        if name not in _HOME:
            raise AttributeError(f'module {__name__!r} has no attribute {name!r}')
        home = import_module(_HOME[name], __name__)
        if _HOME[name] == f'.{name}':
            return home
        return getattr(home, name)


def __dir__() -> list[str]:
    return sorted(__all__)
