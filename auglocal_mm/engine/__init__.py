"""What plugs into mmengine's runner: optimizer wrapper, data parallel, hooks."""
from .distributed import LocalDistributedDataParallel
from .hooks import (
    AuxiliaryHeadHook,
    ChannelsLastHook,
    CheckpointHook,
    DeviceAugmentHook,
    FrozenBackboneHook,
    ModuleSeedHook,
    RandomStateHook,
    ReuseMemoryHook,
    VerifyPretrainedHook,
)
from .loops import EpochBasedTrainLoop, IterBasedTrainLoop
from .optim_wrapper import AugLocalOptimWrapper
from .pipeline_parallel import LocalPipelineParallel
from .seed_worker import seed_worker
from .warmup_cosine import WarmupCosineLR
from .whole_files import WholeFiles

__all__ = ['AugLocalOptimWrapper', 'AuxiliaryHeadHook', 'ChannelsLastHook',
           'CheckpointHook', 'DeviceAugmentHook', 'EpochBasedTrainLoop', 'FrozenBackboneHook',
           'IterBasedTrainLoop', 'LocalDistributedDataParallel', 'LocalPipelineParallel',
           'ModuleSeedHook', 'RandomStateHook', 'ReuseMemoryHook', 'VerifyPretrainedHook',
           'WarmupCosineLR', 'WholeFiles', 'seed_worker']
