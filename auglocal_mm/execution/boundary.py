"""The gradient boundary between local modules."""
from torch import Tensor


def boundary(x: Tensor) -> Tensor:
    """The same values without their history: no gradient crosses.

    The only ``detach`` on the training path.
    """
    return x.detach()
