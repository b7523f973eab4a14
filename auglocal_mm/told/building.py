"""Where in a config the object stands that could not be built."""
from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from types import FrameType
from typing import Any

from auglocal_mm.validation import near, settings_of

from .frames import frames, module_of

_BUILDERS = 'mmengine.registry.build_functions'
_UNEXPECTED = re.compile(r"got an unexpected keyword argument '([^']*)'")
_MISSING = re.compile(r"missing \d+ required (?:positional|keyword-only) arguments?: (.*)")
_TWICE = re.compile(r"got multiple values for (?:keyword )?argument '([^']*)'")


def builders(error: BaseException) -> list[FrameType]:
    """Return the frames in which mmengine was building something, outermost first."""
    return [frame for frame in frames(error) if module_of(frame) == _BUILDERS
            and isinstance(frame.f_locals.get('cfg'), Mapping)]


def place(error: BaseException) -> str:
    """Return the dotted key of what was being built, or its type, or nothing."""
    found = builders(error)
    roots = [frame.f_locals['cfg'] for frame in frames(error)
             if type(frame.f_locals.get('cfg')).__name__ == 'Config']
    for frame in reversed(found):
        for root in roots:
            path = _find(root, frame.f_locals['cfg'])
            if path:
                return path
    kind = found[-1].f_locals['cfg'].get('type') if found else None
    return getattr(kind, '__name__', kind) if isinstance(kind, (str, type)) else ''


def _find(root: Any, built: Mapping[str, Any]) -> str:
    """Return the path of the first dict in a config that a built one repeats or extends."""
    for path, node in _walk(root, ''):
        if path and 'type' in node and _covers(built, node):
            return path
    return ''


def _covers(built: Mapping[str, Any], node: Mapping[str, Any]) -> bool:
    if node is built:
        return True
    try:
        return built.get('type') == node['type'] and all(
            key in built and bool(built[key] == value) for key, value in node.items())
    except Exception:  # Values that cannot be compared, such as arrays.
        return False


def _walk(node: Any, path: str) -> Iterator[tuple[str, Mapping[str, Any]]]:
    if isinstance(node, Mapping) or type(node).__name__ == 'Config':
        if path:
            yield path, node
        for key, value in node.items():
            yield from _walk(value, f'{path}.{key}' if path else str(key))
    elif isinstance(node, (list, tuple)):
        for index, value in enumerate(node):
            yield from _walk(value, f'{path}.{index}')


def about_keys(error: BaseException) -> str:
    """Say in our words what Python says about a call's arguments, or nothing."""
    if not isinstance(error, TypeError):
        return ''
    kind = next((frame.f_locals['obj_cls'] for frame in reversed(builders(error))
                 if frame.f_locals.get('obj_cls') is not None), None)
    text = str(error)
    name = getattr(kind, '__name__', '') or 'it'
    if found := _UNEXPECTED.search(text):
        hint = f'; {near(found[1], settings_of(kind))}' if kind is not None else ''
        return f'unknown key {found[1]!r} of {name}{hint}'
    if found := _MISSING.search(text):
        return f'{name} lacks the key {found[1]}'
    if found := _TWICE.search(text):
        return f'the key {found[1]!r} is set by {name} itself; leave it out'
    return ''
