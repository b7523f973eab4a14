"""Backbones that mmpretrain lacks."""
from .convnets_cifar import EfficientNetCIFAR, MobileNetV2CIFAR, RegNetCIFAR
from .resnet_cifar import ResNetCIFAR

__all__ = ['EfficientNetCIFAR', 'MobileNetV2CIFAR', 'RegNetCIFAR', 'ResNetCIFAR']
