"""Auxiliary networks, built from plans."""
from .layers import BuildContext, HeadFactory
from .network import AuxiliaryNetwork, Losses, build_auxiliary
from .norms import GROUPS
from .recompute import recomputed

__all__ = ['GROUPS', 'AuxiliaryNetwork', 'BuildContext', 'HeadFactory', 'Losses', 'build_auxiliary',
           'recomputed']
