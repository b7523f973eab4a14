"""Faults of a setting, collected and raised together."""
from __future__ import annotations


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
        if self.messages:
            raise ValueError('\n  - '.join([f'{self.subject}:', *self.messages]))


def is_int(value: object) -> bool:
    """Tell whether `value` is an integer; booleans do not count."""
    return isinstance(value, int) and not isinstance(value, bool)
