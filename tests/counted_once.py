"""Costs that are counted once for all ranks of a test, before they are forked.

Each rank of a pipeline counts the same to find its stage. That takes longer than a test's steps.
"""
from __future__ import annotations

from typing import Any

from auglocal_mm.models.counted_costs import ModuleCosts, module_costs

_KNOWN: dict[str, ModuleCosts] = {}


def count(model: Any) -> Any:
    """Count the costs of a model's modules for ranks to come; return the model."""
    key = _key(model)
    if key not in _KNOWN:
        _KNOWN[key] = module_costs(model)
    return model


def counted(model: Any) -> ModuleCosts:
    """Stand in for `module_costs`."""
    key = _key(model)
    return _KNOWN[key] if key in _KNOWN else module_costs(model)


def _key(model: Any) -> str:
    # Hooks of a runner replace the preprocessor, which costs nothing.
    parts = [f'{name}: {part}' for name, part in model.named_children()
             if name != 'data_preprocessor']
    return '\n'.join([str(model.plan), *parts])
