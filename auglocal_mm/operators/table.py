"""The operators that have a stand-in, under the names that mmcv calls them by."""
from collections.abc import Callable
from typing import Any

from . import attention, carafe, deformable, focal, masked_conv, overlaps, regions, suppression

ROOMS = (attention, carafe, deformable, focal, masked_conv, overlaps, regions, suppression)


def get_compiler_version() -> str:
    """Return what mmcv reports as its compiler."""
    return "none: torchvision's operators, through auglocal_mm"


def get_compiling_cuda_version() -> str:
    """Return what mmcv reports as the CUDA version that it was compiled with."""
    return 'not available'


def _operators() -> dict[str, Callable[..., Any]]:
    found = {name: value for room in ROOMS for name, value in vars(room).items()
             if callable(value) and getattr(value, '__module__', None) == room.__name__
             and not name.startswith('_')}
    return {**found, 'get_compiler_version': get_compiler_version,
            'get_compiling_cuda_version': get_compiling_cuda_version}


#: Name in ``mmcv._ext`` -> function.
OPERATORS = _operators()
