"""Which part of a run's model raised an exception, and whether its shapes were the reason."""
from __future__ import annotations

import re
from typing import Any

from .frames import frames
from .runs import run_of

_SHAPES = re.compile(
    r'shapes cannot be multiplied|to have \d+ channels, but got|must match the size of tensor'
    r'|size mismatch|Sizes of tensors must match|invalid for input of size|[Ss]hape mismatch')


def layer_of(error: BaseException) -> str:
    """Return the dotted name of the innermost torch module in a traceback, or nothing."""
    model: Any = getattr(run_of(error), 'model', None)
    if not hasattr(model, 'named_modules'):
        return ''
    names = {id(module): name for name, module in model.named_modules()}
    for frame in reversed(frames(error)):
        name = names.get(id(frame.f_locals.get('self')))
        if name:
            return f'model.{name.removeprefix("module.")}'
    return ''


def is_of_shapes(error: BaseException) -> bool:
    """Tell whether a torch module was given a tensor of a shape that it cannot take."""
    return isinstance(error, RuntimeError) and bool(_SHAPES.search(str(error)))
