"""Hooks: they observe; they never train."""
from .auxiliary_head_hook import AuxiliaryHeadHook
from .random_state_hook import RandomStateHook

__all__ = ['AuxiliaryHeadHook', 'RandomStateHook']
