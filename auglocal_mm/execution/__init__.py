"""How a plan is run: one chain of modules, driven in different orders."""
from .boundary import boundary
from .carry import Carry, CarryRecord
from .chain import Chain, Passage
from .events import Listener, Listeners, ModuleDone, Order, StepBegin
from .immediate import LocalOptimizer, immediate_step
from .joint import joint_losses
from .local_metrics import LocalMetrics
from .local_model import LocalModel, module_name
from .local_step import LocalStep, Outcome
from .nonfinite import NonFiniteError
from .owners import ParameterOwners
from .steps import drive, local_steps
from .task import Task
from .trainable import Trainability, TrainabilityError

__all__ = [
    'Carry', 'CarryRecord', 'Chain', 'Listener', 'Listeners', 'LocalMetrics', 'LocalModel',
    'LocalOptimizer', 'LocalStep', 'ModuleDone', 'NonFiniteError', 'Order', 'Outcome',
    'ParameterOwners', 'Passage', 'StepBegin', 'Task', 'Trainability', 'TrainabilityError',
    'boundary', 'drive', 'immediate_step', 'joint_losses', 'local_steps', 'module_name',
]
