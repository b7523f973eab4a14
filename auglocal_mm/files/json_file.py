"""JSON files: read with a check of what they hold, written whole or not at all."""
from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from .errors import FileError
from .write import write_text


def read_json(path: str | Path) -> dict[str, Any]:
    """Read a JSON object from a file.

    Raises:
        FileNotFoundError: There is no such file.
        FileError: It holds something else.
    """
    data = _read(path)
    if not isinstance(data, dict):
        raise FileError(f'{path} must hold a JSON object, got {type(data).__name__}')
    return data


def read_json_list(path: str | Path) -> list[Any]:
    """Read a JSON list from a file.

    Raises:
        FileNotFoundError: There is no such file.
        FileError: It holds something else.
    """
    data = _read(path)
    if not isinstance(data, list):
        raise FileError(f'{path} must hold a JSON list, got {type(data).__name__}')
    return data


def write_json(content: Mapping[str, Any] | list[Any], path: str | Path) -> None:
    """Write an object or a list as JSON, whole or not at all.

    Raises:
        ValueError: A number in it is not finite.
        FileError: The file cannot be written; the old one still stands.
    """
    write_text(json.dumps(content, indent=2, allow_nan=False) + '\n', path)


def _read(path: str | Path) -> Any:
    try:
        return json.loads(Path(path).read_text(encoding='utf-8'))
    except ValueError as fault:  # Of the text's encoding, or of its JSON.
        raise FileError(f'{path} cannot be read: {fault}; replace it') from fault
