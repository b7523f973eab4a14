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
from importlib.util import find_spec
from types import CodeType, ModuleType
from typing import Any

PACKAGE = __name__.rpartition('.')[0]
#: A package whose modules were moved to several others.
SCATTERED = 'analysis'
#: Former name of a module -> its name now. A package's name stands for what is in it.
MOVED = {
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
    'analysis.scene_view': 'lab.scenes.scene_view',
    'analysis.similarity': 'lab.depth.similarity',
    'analysis.similarity_chart': 'lab.depth.similarity_chart',
    'analysis.similarity_study': 'lab.depth.similarity_study',
    'analysis.system': 'lab.measure.system',
    'analysis.trained_model': 'lab.measure.trained_model',
    'analysis.unit_axis': 'lab.depth.unit_axis',
    'analysis.unit_features': 'lab.depth.unit_features',
    'auxiliary.batch': 'tasks.classification_batch',
    'checkpoint': 'checkpoints',
    'command': 'console.command',
    'demo': 'lab.demo',
    'demo.scenes': 'lab.scenes.scenes',
    'doctor': 'console.doctor',
    'engine.config_shape': 'config.shape',
    'engine.plain_config': 'checkpoints.plain_config',
    'errors': 'validation.errors',
    'host_chatter': 'console.host_chatter',
    'jobs': 'lab.jobs',
    'models.host_features': 'tasks.classification_heads',
    'models.local_metrics': 'execution.local_metrics',
    'named': 'config.named',
    'ranks': 'console.ranks',
    'reproduction': 'lab.reproduction',
    'reproduction.console': 'lab.runs.console',
    'reproduction.execute': 'lab.runs.execute',
    'reproduction.run': 'lab.runs.run',
    'reproduction.schedule': 'lab.runs.schedule',
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

    def get_code(self, name: str) -> CodeType | None:
        """Return the code to run for ``python -m`` and the old name."""
        spec = find_spec(self._target)
        loader: Any = spec.loader if spec is not None else None
        return loader.get_code(self._target)


class _Scattered(Loader):
    """Makes an empty package for one whose modules now lie in several.

    If the old name gave one of these, importing ``old.curves`` would replace the
    attribute ``curves`` there, which is a package of today.
    """

    def create_module(self, spec: ModuleSpec) -> ModuleType | None:
        return None

    def exec_module(self, module: ModuleType) -> None:
        return None


class _FormerNames(MetaPathFinder):
    def find_spec(self, fullname, path=None, target=None):  # type: ignore[no-untyped-def]
        if fullname == f'{PACKAGE}.{SCATTERED}':
            return ModuleSpec(fullname, _Scattered(), is_package=True)
        new = new_name(fullname) if fullname.startswith(f'{PACKAGE}.') else None
        if new is None:
            return None
        warnings.warn(f'{fullname} is now {new}; the old name will go in version 1.0',
                      DeprecationWarning, stacklevel=2)
        found = find_spec(new)
        is_package = found is not None and found.submodule_search_locations is not None
        # `python -m` shows the origin as the program's name.
        return ModuleSpec(fullname, _Alias(new), is_package=is_package,
                          origin=None if found is None else found.origin)


def install() -> None:
    """Let the former names be imported; safe to call more than once."""
    if not any(isinstance(finder, _FormerNames) for finder in sys.meta_path):
        sys.meta_path.insert(0, _FormerNames())
