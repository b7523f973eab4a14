"""Replaces the placeholders of hosts that were imported before their operators were there.

The maintained mmdet catches the failed import of an operator and defines a function or a
class in its place that raises when it is called. ``import mmpretrain.models`` alone brings
some in. Without this, an ``import auglocal_mm`` below that line would come too late.
"""
from __future__ import annotations

import sys
from importlib import import_module
from types import ModuleType
from typing import Any

#: What every placeholder says when it is called.
_SAYS = 'requires mmcv to be compiled with ops'


def fill_placeholders() -> None:
    """Put operators where modules of OpenMMLab that are loaded already hold placeholders.

    A class derived from a placeholder keeps it.
    """
    found = [(module, name, value)
             for module in _hosts() for name, value in list(vars(module).items())
             if _is_placeholder(value)]
    if not found:
        return
    operators = import_module('mmcv.ops')
    for module, name, value in found:
        setattr(module, name, getattr(operators, value.__name__.lstrip('_'), value))


def _hosts() -> list[ModuleType]:
    return [module for name, module in list(sys.modules.items())
            if name.startswith(('mmdet', 'mmpretrain')) and isinstance(module, ModuleType)]


def _is_placeholder(value: Any) -> bool:
    function = value.__dict__.get('__init__') if isinstance(value, type) else value
    code = getattr(function, '__code__', None)
    return code is not None and any(
        isinstance(constant, str) and _SAYS in constant for constant in code.co_consts)
