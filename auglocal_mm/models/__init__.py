"""The local classifier and the backbones that mmpretrain lacks."""
from .backbones import ResNetCIFAR
from .local_classifier import LocalImageClassifier

__all__ = ['LocalImageClassifier', 'ResNetCIFAR']
