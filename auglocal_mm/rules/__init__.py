"""Learning rules, one file each; a config chooses by ``model.local.type``."""
from .auglocal import AugLocal
from .backprop import Backprop
from .base import LocalRule
from .build import build_rule
from .dgl import DGL
from .infopro import InfoPro
from .predsim import PredSim

__all__ = ['DGL', 'AugLocal', 'Backprop', 'InfoPro', 'LocalRule', 'PredSim', 'build_rule']
