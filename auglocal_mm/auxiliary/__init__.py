"""Auxiliary networks, built from plans."""
from .batch import LocalBatch
from .layers import BuildContext
from .network import AuxiliaryNetwork, build_auxiliary

__all__ = ['AuxiliaryNetwork', 'BuildContext', 'LocalBatch', 'build_auxiliary']
