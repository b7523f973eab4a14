"""Reads a dumped config as data, without running it as Python."""
from __future__ import annotations

import ast
import math
from typing import Any


def read_literal_config(text: str) -> dict[str, Any]:
    """Return the top-level names of a config that mmengine dumped (``Config.pretty_text``).

    A dump assigns nothing but literals, ``inf``, ``nan``, ``set()``, ``dict(key=value, …)``
    and, for keys that are not names, ``dict({'a.b': value, …})``.

    Raises:
        ValueError: It holds anything else.
    """
    try:
        body = ast.parse(text).body
    except SyntaxError as error:
        raise ValueError(f'not a dumped config: {error}') from error
    content: dict[str, Any] = {}
    for statement in body:
        if not (isinstance(statement, ast.Assign) and len(statement.targets) == 1
                and isinstance(statement.targets[0], ast.Name)):
            raise ValueError(f'line {statement.lineno} does not assign a value to a name')
        content[statement.targets[0].id] = _value(statement.value)
    return content


#: How Python writes the numbers that it has no literal for.
_NUMBERS = {'inf': math.inf, 'nan': math.nan}


def _value(node: ast.expr) -> Any:
    if isinstance(node, ast.Name) and node.id in _NUMBERS:
        return _NUMBERS[node.id]
    if (isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub)
            and isinstance(node.operand, ast.Name) and node.operand.id in _NUMBERS):
        return -_NUMBERS[node.operand.id]
    if isinstance(node, ast.Call):
        if isinstance(node.func, ast.Name) and node.func.id == 'set' and not (
                node.args or node.keywords):
            return set()
        if not (isinstance(node.func, ast.Name) and node.func.id == 'dict'
                and all(isinstance(argument, ast.Dict) for argument in node.args[:1])
                and not node.args[1:] and all(keyword.arg for keyword in node.keywords)):
            raise ValueError(f'line {node.lineno} calls something other than dict(key=value, …)')
        named = {str(keyword.arg): _value(keyword.value) for keyword in node.keywords}
        return {**(_value(node.args[0]) if node.args else {}), **named}
    if isinstance(node, ast.Dict) and all(node.keys):
        return {_value(key): _value(value)  # type: ignore[arg-type]
                for key, value in zip(node.keys, node.values, strict=True)}
    if isinstance(node, (ast.List, ast.Tuple, ast.Set)):
        items = [_value(item) for item in node.elts]
        return {ast.List: list, ast.Tuple: tuple, ast.Set: set}[type(node)](items)
    try:
        return ast.literal_eval(node)
    except ValueError as error:
        raise ValueError(f'line {node.lineno} does not hold a plain value') from error
