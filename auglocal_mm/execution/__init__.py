"""How a plan is run: the same local steps, driven in different orders."""
from .boundary import boundary
from .immediate import GradientSync, LocalOptimizer, train_step
from .joint import joint_losses
from .local_step import LocalStep
from .nonfinite import NonFiniteError
from .trainable import Trainability, TrainabilityError

__all__ = ['GradientSync', 'LocalOptimizer', 'LocalStep', 'NonFiniteError', 'Trainability',
           'TrainabilityError', 'boundary', 'joint_losses', 'train_step']
