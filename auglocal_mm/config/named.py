"""Answers one question for the whole package: which class does a config's ``type`` mean?"""
from __future__ import annotations

from typing import Any

from mmengine.registry import DefaultScope, Registry


def class_of(kind: Any, registry: Registry, *, scope: str | None = None) -> Any:
    """Return what a registry would build for a ``type``, without building it.

    OpenMMLab accepts a name (``'ResNet'``), a name with its scope
    (``'mmpretrain.ResNet'``), a full import path, a class, and any callable. Code that
    compares one of these spellings overlooks the others, so all of ours asks here. It
    is for configs that the user trusts: an import path is imported.

    Args:
        kind: The value of ``type``; ``None`` where a config has none.
        registry: The registry that would build it.
        scope: The config's ``default_scope``; ``None`` for the current one.

    Returns:
        The class or callable, or ``None`` if nothing has that name.
    """
    if not isinstance(kind, str):
        return kind if callable(kind) else None
    # mmengine's own building looks in the registry of the scope like this.
    with DefaultScope.overwrite_default_scope(scope), \
            registry.switch_scope_and_registry(None) as current:
        try:
            return current.get(kind)
        except Exception:
            # mmengine imports what it takes for a module's name, and anything can come of that.
            return None


def means(kind: Any, wanted: type | tuple[type, ...], registry: Registry, *,
          scope: str | None = None) -> bool:
    """Tell whether a ``type`` means one of `wanted` or a subclass of it."""
    found = class_of(kind, registry, scope=scope)
    return isinstance(found, type) and issubclass(found, wanted)
