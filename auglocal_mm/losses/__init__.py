"""Losses of local learning in addition to the head's own."""
from .base import FeatureLoss
from .contrastive import SupervisedContrastiveLoss
from .reconstruction import ReconstructionLoss
from .similarity import SimilarityMatchingLoss

__all__ = ['FeatureLoss', 'ReconstructionLoss', 'SimilarityMatchingLoss',
           'SupervisedContrastiveLoss']
