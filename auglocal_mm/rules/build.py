"""How a config chooses a learning rule."""
from __future__ import annotations

import inspect
from typing import Any

from auglocal_mm.registry import LOCAL_RULES
from auglocal_mm.validation import Faults, near, shown

from .base import LocalRule


def build_rule(cfg: dict[str, Any] | LocalRule) -> LocalRule:
    """Return the rule that ``model.local`` names, after checking its keys.

    Raises:
        TypeError: `cfg` is neither a rule nor a dict.
        ValueError: Unknown rule or keys, or impossible values, all listed.
    """
    if isinstance(cfg, LocalRule):
        return cfg
    if not isinstance(cfg, dict):
        raise TypeError(f'model.local must be a dict with a type, got {shown(cfg)}; '
                        "fix: local=dict(type='auglocal_mm.AugLocal', depth=2)")
    settings = dict(cfg)
    settings.pop('_scope_', None)  # mmengine's mark on what was inherited by `auglocal_mm::…`
    name = settings.pop('type', None)
    rule = _find(name)
    odd = [shown(key) for key in settings if not isinstance(key, str)]
    if odd:
        raise ValueError(f'keys of model.local must be names, got {", ".join(odd)}')
    parameters = inspect.signature(rule).parameters.values()
    # A rule that passes **settings on to the rule it extends checks them there.
    takes_all = any(parameter.kind is parameter.VAR_KEYWORD for parameter in parameters)
    named = [parameter for parameter in parameters
             if parameter.kind not in (parameter.VAR_KEYWORD, parameter.VAR_POSITIONAL)]
    known = [parameter.name for parameter in named]
    faults = Faults(f'model.local of type {shown(name)}')
    for key in settings:
        faults.add_unless(takes_all or key in known,
                          f'unknown key {shown(key)}; {near(key, known)}')
    for parameter in named:
        faults.add_unless(
            parameter.default is not parameter.empty or parameter.name in settings,
            f'missing key {parameter.name!r}')
    faults.raise_if_any()
    return rule(**settings)


def _find(name: object) -> type[LocalRule]:
    LOCAL_RULES.import_from_location()
    known = sorted(LOCAL_RULES.module_dict)
    short = name.removeprefix('auglocal_mm.') if isinstance(name, str) else None
    found: object = name
    if isinstance(name, str):
        # A rule of another project has its full import path.
        found = LOCAL_RULES.module_dict.get(short) or (_import(name) if '.' in str(short) else None)
    if not (isinstance(found, type) and issubclass(found, LocalRule)
            and not inspect.isabstract(found)):
        raise ValueError(f'model.local.type is {shown(name)}, which is not a learning rule; '
                         f'choose one of {", ".join(f"auglocal_mm.{rule}" for rule in known)}')
    return found


def _import(name: str) -> object:
    try:
        return LOCAL_RULES.get(name)
    except Exception:  # A name that is no path, such as '..' or 'a.b.'.
        return None
