"""Checks of settings: all faults at once, each with value, bound and fix."""
from .errors import UserError
from .faults import (
    Faults,
    check_bool,
    check_choice,
    check_int,
    check_keys,
    check_number,
    is_int,
    is_number,
    is_one_of,
    is_text,
    near,
    settings_of,
    shown,
)

__all__ = ['Faults', 'UserError', 'check_bool', 'check_choice', 'check_int', 'check_keys',
           'check_number', 'is_int', 'is_number', 'is_one_of', 'is_text', 'near', 'settings_of',
           'shown']
