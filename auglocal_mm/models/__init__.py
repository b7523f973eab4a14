"""The local classifier and the backbones that mmpretrain lacks."""
from .backbones import EfficientNetCIFAR, MobileNetV2CIFAR, RegNetCIFAR, ResNetCIFAR
from .local_classifier import LocalImageClassifier

__all__ = ['EfficientNetCIFAR', 'LocalImageClassifier', 'MobileNetV2CIFAR', 'RegNetCIFAR',
           'ResNetCIFAR']
