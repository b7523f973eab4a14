"""Data sets: the embedded default, and what mmpretrain and mmdet lack."""
from .check import MissingDataError, check_data
from .digit_scenes import DigitScenesError, ensure_digit_scenes
from .digits import Digits
from .errors import DataError
from .image_folder import ImageFolder

__all__ = ['DataError', 'Digits', 'DigitScenesError', 'ImageFolder', 'MissingDataError',
           'check_data', 'ensure_digit_scenes']
