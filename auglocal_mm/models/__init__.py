"""Models that train locally, and the backbones that mmpretrain lacks."""
from .backbones import EfficientNetCIFAR, MobileNetV2CIFAR, RegNetCIFAR, ResNetCIFAR
from .local_classifier import LocalImageClassifier
from .local_training import LocalTraining

__all__ = ['EfficientNetCIFAR', 'LocalImageClassifier', 'LocalTraining', 'MobileNetV2CIFAR',
           'RegNetCIFAR', 'ResNetCIFAR']
