"""Hooks observe or prepare a run; they never train."""
from .auxiliary_head_hook import AuxiliaryHeadHook
from .channels_last_hook import ChannelsLastHook
from .checkpoint_hook import CheckpointHook
from .device_augment_hook import DeviceAugmentHook
from .frozen_backbone_hook import FrozenBackboneHook
from .module_seed_hook import ModuleSeedHook
from .random_state_hook import RandomStateHook
from .reuse_memory_hook import ReuseMemoryHook
from .verify_pretrained_hook import VerifyPretrainedHook

__all__ = ['AuxiliaryHeadHook', 'ChannelsLastHook', 'CheckpointHook', 'DeviceAugmentHook',
           'FrozenBackboneHook', 'ModuleSeedHook', 'RandomStateHook', 'ReuseMemoryHook',
           'VerifyPretrainedHook']
