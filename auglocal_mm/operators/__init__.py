"""Stand-ins for mmcv's compiled operators, built on torchvision's and torch's.

``import auglocal_mm`` makes ``mmcv._ext`` importable where mmcv was installed without
its compiled operators. Compiled operators always win: Python's own finders are asked
first. Importing this package loads neither torch nor OpenMMLab.
"""
from .missing import MissingOperatorError
from .stand_in import COMPILED, NONE, TORCHVISION, in_use, install

__all__ = ['COMPILED', 'NONE', 'TORCHVISION', 'MissingOperatorError', 'in_use', 'install']
