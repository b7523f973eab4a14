"""Child registries of mmengine's, with the scope ``auglocal_mm``.

mmengine imports this module by itself when a config names
``auglocal_mm.<Name>``, and each registry imports its locations on first use. So
configs need no ``custom_imports``, and ``default_scope`` stays the project's.
"""
from mmengine.registry import DATASETS as MMENGINE_DATASETS
from mmengine.registry import FUNCTIONS as MMENGINE_FUNCTIONS
from mmengine.registry import HOOKS as MMENGINE_HOOKS
from mmengine.registry import LOOPS as MMENGINE_LOOPS
from mmengine.registry import MODEL_WRAPPERS as MMENGINE_MODEL_WRAPPERS
from mmengine.registry import MODELS as MMENGINE_MODELS
from mmengine.registry import OPTIM_WRAPPERS as MMENGINE_OPTIM_WRAPPERS
from mmengine.registry import PARAM_SCHEDULERS as MMENGINE_PARAM_SCHEDULERS
from mmengine.registry import TRANSFORMS as MMENGINE_TRANSFORMS
from mmengine.registry import Registry

SCOPE = 'auglocal_mm'


def _child(name: str, parent: Registry, location: str) -> Registry:
    return Registry(name, parent=parent, scope=SCOPE, locations=[f'{SCOPE}.{location}'])


MODELS = _child('model', MMENGINE_MODELS, 'models')
DATASETS = _child('dataset', MMENGINE_DATASETS, 'datasets')
TRANSFORMS = _child('transform', MMENGINE_TRANSFORMS, 'datasets')
HOOKS = _child('hook', MMENGINE_HOOKS, 'engine')
LOOPS = _child('loop', MMENGINE_LOOPS, 'engine')
FUNCTIONS = _child('function', MMENGINE_FUNCTIONS, 'engine')
OPTIM_WRAPPERS = _child('optimizer wrapper', MMENGINE_OPTIM_WRAPPERS, 'engine')
PARAM_SCHEDULERS = _child('parameter scheduler', MMENGINE_PARAM_SCHEDULERS, 'engine')
MODEL_WRAPPERS = _child('model wrapper', MMENGINE_MODEL_WRAPPERS, 'engine')

#: Learning rules, chosen by ``model.local.type``. A root registry, because mmengine
#: has none of this kind.
LOCAL_RULES = Registry('local rule', scope=SCOPE, locations=[f'{SCOPE}.rules'])
#: Second losses of local rules, named in a plan.
LOCAL_LOSSES = Registry('local loss', scope=SCOPE, locations=[f'{SCOPE}.losses'])
#: Local losses of detectors, chosen by ``model.local_loss``.
DETECTION_LOSSES = Registry('detection loss', scope=SCOPE,
                            locations=[f'{SCOPE}.tasks.detection'])
