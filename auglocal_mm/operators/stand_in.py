"""Provides the module ``mmcv._ext`` where mmcv has no compiled one."""
from __future__ import annotations

import sys
from collections.abc import Sequence
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec, PathFinder
from importlib.util import find_spec
from types import ModuleType

from .missing import missing_operator

NAME = 'mmcv._ext'
ORIGIN = 'torchvision, through auglocal_mm'
#: What :func:`in_use` answers.
COMPILED, TORCHVISION, NONE = 'compiled', 'torchvision', 'none'


class _StandInLoader(Loader):
    """Fills ``mmcv._ext`` with stand-ins; any other operator raises when it is called."""

    def create_module(self, spec: ModuleSpec) -> ModuleType | None:
        return None  # Python's default module

    def exec_module(self, module: ModuleType) -> None:
        from .table import OPERATORS
        module.__dict__.update(OPERATORS)
        # mmcv.ops asserts at import that every operator it may call exists.
        module.__getattr__ = missing_operator  # type: ignore[method-assign]


class _StandInFinder(MetaPathFinder):
    """Finds ``mmcv._ext`` last, after every finder that could find a compiled one."""

    def find_spec(self, fullname: str, path: Sequence[str] | None = None,
                  target: ModuleType | None = None) -> ModuleSpec | None:
        if fullname != NAME or not _has_torchvision():
            return None
        return ModuleSpec(NAME, _StandInLoader(), origin=ORIGIN)


def _has_torchvision() -> bool:
    return find_spec('torchvision') is not None


def install() -> None:
    """Make ``mmcv._ext`` importable without compiled operators; safe to call repeatedly."""
    if not _is_installed():
        sys.meta_path.append(_StandInFinder())
    if 'mmcv' in sys.modules:
        from .placeholders import fill_placeholders
        fill_placeholders()


def _is_installed() -> bool:
    # By name: a reload of this module makes another class of the same name.
    return any(type(finder).__name__ == _StandInFinder.__name__ for finder in sys.meta_path)


def in_use() -> str:
    """Tell which operators ``mmcv.ops`` has, without importing mmcv or torch.

    Returns:
        ``'compiled'``, ``'torchvision'``, or ``'none'`` where mmcv or torchvision is not
        installed. What is installed may still fail to load; ``auglocal-mm doctor`` tries it.
    """
    loaded = sys.modules.get(NAME)
    if loaded is not None:
        spec = loaded.__spec__
        return TORCHVISION if spec is not None and spec.origin == ORIGIN else COMPILED
    mmcv = find_spec('mmcv')
    if mmcv is None:
        return NONE
    if PathFinder.find_spec(NAME, mmcv.submodule_search_locations) is not None:
        return COMPILED
    return TORCHVISION if _is_installed() and _has_torchvision() else NONE
