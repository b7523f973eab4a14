"""Auxiliary networks, built from plans."""
from .layers import BuildContext
from .network import AuxiliaryNetwork, Losses, build_auxiliary

__all__ = ['AuxiliaryNetwork', 'BuildContext', 'Losses', 'build_auxiliary']
