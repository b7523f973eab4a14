"""Data sets: the embedded ones, and those that mmpretrain and mmdet lack."""
from .check import MissingDataError, check_data
from .digit_scenes import DigitScenesError, ensure_digit_scenes
from .digit_scenes import digit_scenes_dataset as DigitScenes
from .digits import Digits
from .errors import DataError
from .image_folder import ImageFolder
from .padded_random_crop import PaddedRandomCrop
from .stl10 import STL10
from .svhn import SVHN

__all__ = ['DataError', 'DigitScenes', 'Digits', 'DigitScenesError', 'ImageFolder',
           'MissingDataError', 'PaddedRandomCrop', 'STL10', 'SVHN', 'check_data',
           'ensure_digit_scenes']
