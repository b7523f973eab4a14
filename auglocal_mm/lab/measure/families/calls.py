"""Which of mmcv's operators were really called."""
from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any


@contextmanager
def counted_calls(module: Any) -> Iterator[Counter[str]]:
    """Count the calls of every operator of a module.

    Args:
        module: ``mmcv._ext``, compiled or standing in. Operators that it makes when it is
            asked for them (``__getattr__``) are counted as well.

    Yields:
        Calls by name; grows as operators are called.
    """
    calls: Counter[str] = Counter()
    before = dict(vars(module))

    def counted(name: str, operator: Callable[..., Any]) -> Callable[..., Any]:
        def call(*args: Any, **kwargs: Any) -> Any:
            calls[name] += 1
            return operator(*args, **kwargs)
        return call

    for name, value in before.items():
        if callable(value) and not name.startswith('_'):
            setattr(module, name, counted(name, value))
    if '__getattr__' in before:
        make = before['__getattr__']
        module.__getattr__ = lambda name: counted(name, make(name))
    try:
        yield calls
    finally:
        vars(module).update(before)
