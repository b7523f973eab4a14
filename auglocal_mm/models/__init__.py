"""Models that train locally, and the backbones that mmpretrain lacks."""
from .backbones import EfficientNetCIFAR, MobileNetV2CIFAR, RegNetCIFAR, ResNetCIFAR
from .local_classifier import LocalImageClassifier
from .local_detector import LocalDetector
from .local_training import LocalTraining

__all__ = ['EfficientNetCIFAR', 'LocalDetector', 'LocalImageClassifier',
           'LocalTraining', 'MobileNetV2CIFAR',
           'RegNetCIFAR', 'ResNetCIFAR']
