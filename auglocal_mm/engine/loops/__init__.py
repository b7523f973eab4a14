"""Training loops that resume in the middle of an epoch as if nothing had happened."""
from .epoch_loop import EpochBasedTrainLoop
from .iteration_loop import IterBasedTrainLoop

__all__ = ['EpochBasedTrainLoop', 'IterBasedTrainLoop']
