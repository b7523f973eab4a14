"""Auxiliary networks, built from plans."""
from .network import AuxiliaryNetwork, build_auxiliary

__all__ = ['AuxiliaryNetwork', 'build_auxiliary']
