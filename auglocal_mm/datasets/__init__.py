"""Data sets: the embedded default, and what mmpretrain and mmdet lack."""
from .check import MissingDataError, check_data
from .digit_scenes import DigitScenesError, ensure_digit_scenes
from .digits import Digits

__all__ = ['Digits', 'DigitScenesError', 'MissingDataError', 'check_data', 'ensure_digit_scenes']
