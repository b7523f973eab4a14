"""Where in a config the object stands that could not be built."""
from __future__ import annotations

import re
from collections.abc import Mapping
from types import FrameType
from typing import Any

from auglocal_mm.config.walk import dicts_in
from auglocal_mm.validation import near, settings_of

from .frames import frames, module_of
from .runs import run_of

_REGISTRY, _RUNNER = 'mmengine.registry.build_functions', 'mmengine.runner.runner'
#: What mmengine builds from keys whose values it has changed by then.
_KEYS = {'build_train_loop': 'train_cfg', 'build_val_loop': 'val_cfg',
         'build_test_loop': 'test_cfg', 'build_optim_wrapper': 'optim_wrapper',
         'build_param_scheduler': 'param_scheduler', 'build_visualizer': 'visualizer',
         'register_hook': 'custom_hooks', 'register_custom_hooks': 'custom_hooks'}
_UNEXPECTED = re.compile(r"got an unexpected keyword argument '([^']*)'")
_MISSING = re.compile(r"missing \d+ required (?:positional|keyword-only) arguments?: (.*)")
_TWICE = re.compile(r"got multiple values for (?:keyword )?argument '([^']*)'")


def builders(error: BaseException) -> list[FrameType]:
    """Return the frames in which mmengine was building something, outermost first."""
    return [frame for frame in frames(error) if built_by(frame) is not None]


def built_by(frame: FrameType) -> Mapping[str, Any] | None:
    """Return the config of what a frame builds, if it builds something."""
    module, code = module_of(frame), frame.f_code
    names: tuple[str, ...] = ('cfg',) if module == _REGISTRY else ()
    if module == _RUNNER and code.co_name.startswith('build_'):
        names = code.co_varnames[:code.co_argcount]
    values = [frame.f_locals.get(name) for name in names]
    return next((value for value in values if isinstance(value, Mapping)), None)


def place(error: BaseException) -> str:
    """Return the dotted key of what was being built, or its type, or nothing."""
    found = [built_by(frame) for frame in builders(error)]
    roots = [frame.f_locals['cfg'] for frame in frames(error)
             if type(frame.f_locals.get('cfg')).__name__ == 'Config']
    # Data sets, optimizers and loops are built from the runner's own copy, when training starts.
    roots.append(getattr(run_of(error), 'cfg', {}))
    for built in reversed(found):
        for root in roots:
            path = _find(root, built or {})
            if path:
                return path
    key = next((_KEYS[frame.f_code.co_name] for frame in reversed(frames(error))
                if module_of(frame) == _RUNNER and frame.f_code.co_name in _KEYS), None)
    if key is not None:
        return key
    kind = (found[-1] or {}).get('type') if found else None
    return kind if isinstance(kind, str) else getattr(kind, '__name__', '')


def _find(root: Any, built: Mapping[str, Any]) -> str:
    """Return the path of the first dict in a config that a built one repeats or extends."""
    # A Config is no mapping; the dict in it is.
    for path, node in dicts_in(getattr(root, '_cfg_dict', root)):
        if path and node and _covers(built, node):
            return path
    return ''


def _covers(built: Mapping[str, Any], node: Mapping[str, Any]) -> bool:
    """Tell whether a dict may have become another, parts of which are already objects."""
    if node is built:
        return True
    try:
        return built.get('type') == node.get('type') and all(
            key in built and (bool(built[key] == value) or (
                isinstance(value, Mapping) and not isinstance(built[key], Mapping)))
            for key, value in node.items())
    except Exception:  # Values that cannot be compared, such as arrays.
        return False


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
    if 'takes no arguments' in text:
        config = built_by(builders(error)[-1]) if builders(error) else {}
        extra = [repr(key) for key in config or {} if key not in ('type', '_scope_')]
        return f'unknown key {", ".join(extra)} of {name}; there are no keys'
    if found := _MISSING.search(text):
        return f'{name} lacks the key {found[1]}'
    if found := _TWICE.search(text):
        return f'the key {found[1]!r} is set by {name} itself; leave it out'
    return ''
