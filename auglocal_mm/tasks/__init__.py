"""What a model is trained for: targets, local losses, the final loss, scores."""
from .classification import ClassificationTask
from .classification_batch import ClassificationBatch

__all__ = ['ClassificationBatch', 'ClassificationTask']
