"""How a config chooses a learning rule."""
from __future__ import annotations

import inspect
from difflib import get_close_matches
from typing import Any

from auglocal_mm.registry import LOCAL_RULES
from auglocal_mm.validation import Faults

from .base import LocalRule


def build_rule(cfg: dict[str, Any] | LocalRule) -> LocalRule:
    """The rule that ``model.local`` names, its keys checked first.

    Raises:
        TypeError: `cfg` is neither a rule nor a dict.
        ValueError: Unknown rule or keys, or impossible values, all listed.
    """
    if isinstance(cfg, LocalRule):
        return cfg
    if not isinstance(cfg, dict):
        raise TypeError(f'model.local must be a dict with a type, got {cfg!r}; '
                        "fix: local=dict(type='auglocal_mm.AugLocal', depth=2)")
    settings = dict(cfg)
    settings.pop('_scope_', None)  # mmengine's mark on what came by `auglocal_mm::…`
    name = settings.pop('type', None)
    rule = _find(name)
    known = list(inspect.signature(rule).parameters)
    faults = Faults(f'model.local of type {name!r}')
    for key in settings:
        near = get_close_matches(key, known, n=1)
        hint = f'did you mean {near[0]!r}?' if near else f'known keys: {", ".join(known)}'
        faults.add_unless(key in known, f'unknown key {key!r}; {hint}')
    for key, parameter in inspect.signature(rule).parameters.items():
        faults.add_unless(parameter.default is not parameter.empty or key in settings,
                          f'missing key {key!r}')
    faults.raise_if_any()
    return rule(**settings)


def _find(name: object) -> type[LocalRule]:
    LOCAL_RULES.import_from_location()
    known = sorted(LOCAL_RULES.module_dict)
    short = name.removeprefix('auglocal_mm.') if isinstance(name, str) else None
    if short not in LOCAL_RULES.module_dict:
        # A rule of another project, by its full import path.
        found = LOCAL_RULES.get(name) if isinstance(name, str) and '.' in str(short) else None
        if found is None:
            raise ValueError(f'model.local.type is {name!r}, which is no learning rule; '
                             f'choose one of {", ".join(f"auglocal_mm.{rule}" for rule in known)}')
        return found
    return LOCAL_RULES.module_dict[short]
