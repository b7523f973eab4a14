"""Faults of a setting, collected and raised together; and checks that several rooms share."""
from __future__ import annotations

import inspect
import math
from collections.abc import Iterable, Mapping, Sequence
from difflib import get_close_matches
from typing import Any

#: Longest text of a value in a message.
SHOWN_LENGTH = 100


class Faults:
    """Collects the faults of `subject` and raises one error that lists all of them.

    Example:
        >>> faults = Faults('AugLocal')
        >>> faults.add_unless(depth >= 2, f'depth must be at least 2, got {depth}; …')
        >>> faults.raise_if_any()
    """

    def __init__(self, subject: str) -> None:
        self.subject = subject
        self.messages: list[str] = []

    def add_unless(self, holds: bool, message: str) -> None:
        """Record `message` (value, bound, fix) if the condition does not hold."""
        if not holds:
            self.messages.append(message)

    def raise_if_any(self) -> None:
        """Raise a ValueError with every message, if there is any."""
        if len(self.messages) == 1:
            raise ValueError(f'{self.subject}: {self.messages[0]}')
        if self.messages:
            raise ValueError('\n  - '.join([f'{self.subject}:', *self.messages]))


def shown(value: object) -> str:
    """Return a value as text for a message: one line, of at most 100 characters."""
    try:
        text = ' '.join(repr(value).split())
    except Exception:  # Whatever a foreign __repr__ raises, or an integer of 5,000 digits.
        return f'a {type(value).__name__}'
    return text if len(text) <= SHOWN_LENGTH else f'{text[:SHOWN_LENGTH - 1]}…'


def is_int(value: object) -> bool:
    """Tell whether `value` is an integer; booleans do not count."""
    return isinstance(value, int) and not isinstance(value, bool)


def is_number(value: object) -> bool:
    """Tell whether `value` is a finite real number; booleans do not count."""
    return is_int(value) or (isinstance(value, float) and math.isfinite(value))


def is_text(value: object) -> bool:
    """Tell whether `value` is a string that is not empty."""
    return isinstance(value, str) and bool(value)


def is_one_of(value: object, choices: Sequence[Any]) -> bool:
    """Tell whether `value` is one of `choices`, in type as well: 1 is not True."""
    return any(type(value) is type(choice) and value == choice for choice in choices)


def check_int(faults: Faults, name: str, value: Any, low: int, high: int, *, note: str = '',
              optional: bool = False) -> None:
    """Check that `value` is an integer from `low` to `high`, or ``None`` if `optional`."""
    if optional and value is None:
        return
    none = 'None or ' if optional else ''
    too_large = is_int(value) and value > high
    bound = f'at most {high:,}' if too_large else f'at least {low}{note}'
    faults.add_unless(is_int(value) and low <= value <= high,
                      f'{name} must be {none}an integer of {bound}, got {shown(value)}')


def check_number(faults: Faults, name: str, value: Any, low: float, high: float, *,
                 above: bool = False, note: str = '') -> None:
    """Check that `value` is a finite number from `low` (or above it) to `high`."""
    holds = is_number(value) and (low < value if above else low <= value) and value <= high
    bound = f'a number above {low:g}{note}' if above else f'a number of at least {low:g}{note}'
    if is_number(value) and value > high:
        bound = f'at most {high:,g}'
    elif isinstance(value, float) and not is_number(value):
        bound = bound.replace('a number', 'a finite number')
    faults.add_unless(holds, f'{name} must be {bound}, got {shown(value)}')


def check_bool(faults: Faults, name: str, value: object) -> None:
    """Check that `value` is True or False; 0 and 1 are numbers."""
    check_choice(faults, name, value, (True, False))


def check_choice(faults: Faults, name: str, value: object, choices: Sequence[Any]) -> None:
    """Check that `value` is one of `choices`."""
    faults.add_unless(is_one_of(value, choices),
                      f'{name} must be one of {", ".join(map(repr, choices))}, got {shown(value)}')


def check_keys(faults: Faults, settings: Mapping[Any, Any], known: Sequence[str], *,
               place: str = '') -> None:
    """Check that every key of a dict is known; the message names the nearest one.

    Args:
        faults: Collects the faults.
        settings: The dict.
        known: Its possible keys.
        place: Key of the dict itself, for the message.
    """
    for key in settings:
        faults.add_unless(isinstance(key, str) and key in known,
                          f'unknown key {shown(key)}{f" in {place}" if place else ""}; '
                          f'{near(key, known)}')


def near(key: object, known: Iterable[str]) -> str:
    """Return which of `known` a misspelt key may mean, or all of them, as half a sentence."""
    known = list(known)
    found = get_close_matches(key, known, n=1) if isinstance(key, str) else []
    if found:
        return f'did you mean {found[0]!r}?'
    return f'known keys: {", ".join(known)}' if known else 'there are no keys'


def settings_of(kind: Any) -> list[str]:
    """Return the names of all settings of a class, those of its bases included, or a function.

    A base's are included as long as ``**kwargs`` passes settings on to it.
    """
    makers = [vars(each)['__init__'] for each in kind.__mro__ if '__init__' in vars(each)
              ] if isinstance(kind, type) else [kind]
    names: dict[str, None] = {}
    for maker in makers:
        try:
            parameters = list(inspect.signature(maker).parameters.values())
        except (TypeError, ValueError):  # Written in C.
            break
        names.update({each.name: None for each in parameters if each.name != 'self'
                      and each.kind not in (each.VAR_KEYWORD, each.VAR_POSITIONAL)})
        if not any(each.kind is each.VAR_KEYWORD for each in parameters):
            break
    return list(names)
