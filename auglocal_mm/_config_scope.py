"""Lets configs inherit from ours by name: ``_base_ = 'auglocal_mm::…'``.

mmengine resolves the part before ``::`` through a closed table of packages. We add
our name to it: at once if mmengine is already loaded, otherwise right after it
loads. So importing this package does not import mmengine (or torch).
"""
import sys
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec
from importlib.util import find_spec
from types import ModuleType

TABLE_MODULE = 'mmengine.config.utils'


def _add_scope(module: ModuleType) -> None:
    module.MODULE2PACKAGE['auglocal_mm'] = 'auglocal_mm'  # type: ignore[attr-defined]


class _PatchingLoader(Loader):
    """Loads the table's module with its own loader, then adds our name."""

    def __init__(self, loader: Loader) -> None:
        self._loader = loader

    def create_module(self, spec: ModuleSpec) -> ModuleType | None:
        return self._loader.create_module(spec)

    def exec_module(self, module: ModuleType) -> None:
        self._loader.exec_module(module)
        _add_scope(module)


class _TableFinder(MetaPathFinder):
    """Finds the table's module once, through the finders after this one."""

    def find_spec(self, fullname, path=None, target=None):  # type: ignore[no-untyped-def]
        if fullname != TABLE_MODULE:
            return None
        sys.meta_path.remove(self)
        spec = find_spec(fullname)
        if spec is not None and spec.loader is not None:
            spec.loader = _PatchingLoader(spec.loader)
        return spec


def install() -> None:
    """Add the scope ``auglocal_mm``; safe to call more than once."""
    if TABLE_MODULE in sys.modules:
        _add_scope(sys.modules[TABLE_MODULE])
    elif not any(isinstance(finder, _TableFinder) for finder in sys.meta_path):
        sys.meta_path.insert(0, _TableFinder())
