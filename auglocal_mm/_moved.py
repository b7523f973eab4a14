"""Lets code import modules by their former names.

The old name gives the very same module, with a ``DeprecationWarning`` that says the
new one. The finder comes first in ``sys.meta_path``: Python's own would load a second
copy of a module that it finds in the folder of a moved package.
"""
import sys
import warnings
from importlib import import_module
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec
from types import ModuleType

PACKAGE = __name__.rpartition('.')[0]
#: Former name of a module -> its name now. A package's name stands for what is in it.
MOVED = {
    'analysis': 'lab',
    'analysis.benchmark': 'lab.measure.benchmark',
    'analysis.chart': 'lab.drawing.chart',
    'analysis.complexity': 'lab.measure.complexity',
    'analysis.curves': 'lab.curves.curves',
    'analysis.depth_accuracy': 'lab.depth.depth_accuracy',
    'analysis.depth_chart': 'lab.depth.depth_chart',
    'analysis.families': 'lab.measure.families',
    'analysis.learning_curves': 'lab.curves.learning_curves',
    'analysis.line_labels': 'lab.drawing.line_labels',
    'analysis.line_styles': 'lab.drawing.line_styles',
    'analysis.linear_probe': 'lab.depth.linear_probe',
    'analysis.local_accuracy': 'lab.depth.local_accuracy',
    'analysis.memory': 'lab.measure.memory',
    'analysis.plan': 'lab.measure.config_model',
    'analysis.plan_text': 'lab.measure.counted_plan',
    'analysis.plots': 'lab.demo.plots',
    'analysis.report': 'lab.demo.report',
    'analysis.results': 'lab.demo.results',
    'analysis.run_curves': 'lab.curves.run_curves',
    'analysis.scene_view': 'lab.demo.scene_view',
    'analysis.similarity': 'lab.depth.similarity',
    'analysis.similarity_chart': 'lab.depth.similarity_chart',
    'analysis.similarity_study': 'lab.depth.similarity_study',
    'analysis.system': 'lab.measure.system',
    'analysis.trained_model': 'lab.measure.trained_model',
    'analysis.unit_axis': 'lab.depth.unit_axis',
    'analysis.unit_features': 'lab.depth.unit_features',
    'checkpoint': 'checkpoints',
    'command': 'console.command',
    'demo': 'lab.demo',
    'doctor': 'console.doctor',
    'engine.config_shape': 'config.shape',
    'engine.plain_config': 'checkpoints.plain_config',
    'errors': 'validation.errors',
    'host_chatter': 'console.host_chatter',
    'jobs': 'lab.jobs',
    'named': 'config.named',
    'ranks': 'console.ranks',
    'reproduction': 'lab.reproduction',
    'shipped': 'config.shipped',
    'told': 'console.told',
    'tool': 'console.tool',
    'weight_limit': 'validation.weight_limit',
}


def new_name(name: str) -> str | None:
    """Return the present name of a module that was moved, or ``None``."""
    head, _, rest = name.removeprefix(f'{PACKAGE}.').partition('.')
    parts = [head, *rest.split('.')] if rest else [head]
    for count in range(len(parts), 0, -1):
        moved = MOVED.get('.'.join(parts[:count]))
        if moved is not None:
            return '.'.join([PACKAGE, moved, *parts[count:]])
    return None


class _Alias(Loader):
    """Puts the module of the new name in the place of the old one."""

    def __init__(self, target: str) -> None:
        self._target = target

    def create_module(self, spec: ModuleSpec) -> ModuleType | None:
        return None

    def exec_module(self, module: ModuleType) -> None:
        # The import system returns what stands in sys.modules after this call.
        sys.modules[module.__name__] = import_module(self._target)


class _FormerNames(MetaPathFinder):
    def find_spec(self, fullname, path=None, target=None):  # type: ignore[no-untyped-def]
        new = new_name(fullname) if fullname.startswith(f'{PACKAGE}.') else None
        if new is None:
            return None
        warnings.warn(f'{fullname} is now {new}; the old name will go in version 1.0',
                      DeprecationWarning, stacklevel=2)
        return ModuleSpec(fullname, _Alias(new), is_package=True)


def install() -> None:
    """Let the former names be imported; safe to call more than once."""
    if not any(isinstance(finder, _FormerNames) for finder in sys.meta_path):
        sys.meta_path.insert(0, _FormerNames())
