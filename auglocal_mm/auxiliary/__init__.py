"""Auxiliary networks, built from plans."""
from .layers import BuildContext, HeadFactory
from .network import AuxiliaryNetwork, Losses, build_auxiliary
from .norms import groups_of
from .recompute import recomputed

__all__ = ['AuxiliaryNetwork', 'BuildContext', 'HeadFactory', 'Losses', 'build_auxiliary',
           'groups_of', 'recomputed']
