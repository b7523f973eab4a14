"""How a detector's own code reaches its backbone, read without running it."""
from __future__ import annotations

import ast
import inspect
import textwrap
from collections.abc import Callable, Iterator
from typing import Any


def require_one_call(detector: type, base: type) -> None:
    """Refuse a detector that calls its backbone several times, or reads inside it.

    What cannot be read here, such as calls in a loop, ends the first training step
    (:class:`~auglocal_mm.models.finished_backbone.FinishedBackbone`).

    Args:
        detector: The plain detector's class.
        base: The class of all detectors, whose own functions need no check.

    Raises:
        TypeError: It does.
    """
    for name, function in _functions(detector, base):
        tree = _parsed(function)
        calls = [node for node in ast.walk(tree) if isinstance(node, ast.Call)]
        for part in ('self.backbone', 'self.extract_feat'):
            if sum(ast.unparse(call.func) == part for call in calls) > 1:
                raise TypeError(_REFUSED.format(detector.__name__, name, f'calls {part} twice'))
        for node in ast.walk(tree):
            if isinstance(node, ast.Attribute) and ast.unparse(node.value) == 'self.backbone':
                raise TypeError(_REFUSED.format(
                    detector.__name__, name, f'reads {ast.unparse(node)}'))


_REFUSED = ('{0} cannot be trained locally, because its {1}() {2}: the units run one after '
            'another, and once; train it by its plain config')


def _functions(detector: type, base: type) -> Iterator[tuple[str, Callable[..., Any]]]:
    """Yield what takes part in a training step of a detector, and is not every detector's."""
    for name in ('extract_feat', 'loss'):
        # A class may call its base's function, so those of all classes count.
        for cls in detector.__mro__:
            if cls is base:
                break
            if name in vars(cls):
                yield name, vars(cls)[name]


def _parsed(function: Callable[..., Any]) -> ast.AST:
    try:
        return ast.parse(textwrap.dedent(inspect.getsource(function)))
    except (OSError, TypeError, SyntaxError):  # made at run time, or written in C
        return ast.Module(body=[], type_ignores=[])
