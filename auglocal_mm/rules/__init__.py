"""Learning rules, one file each; a config chooses by ``model.local.type``."""
from .auglocal import AugLocal
from .base import LocalRule, build_rule

__all__ = ['AugLocal', 'LocalRule', 'build_rule']
