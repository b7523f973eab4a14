"""Hooks, which observe and never train."""
from .auxiliary_head_hook import AuxiliaryHeadHook
from .random_state_hook import RandomStateHook
from .verify_pretrained_hook import VerifyPretrainedHook

__all__ = ['AuxiliaryHeadHook', 'RandomStateHook', 'VerifyPretrainedHook']
