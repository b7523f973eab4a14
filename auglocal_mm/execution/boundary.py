"""The gradient boundary between local modules."""
from typing import Protocol, TypeVar


class Detachable(Protocol):
    """A tensor, or a record of tensors such as :class:`~auglocal_mm.partition.Tokens`."""

    def detach(self: 'T') -> 'T':
        """Return the same values without their history."""
        ...


T = TypeVar('T', bound=Detachable)


def boundary(x: T) -> T:
    """Return the same values without their history, so that no gradient crosses.

    The only ``detach`` on the training path.
    """
    return x.detach()
