"""Writes files that are either whole or not there."""
from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import torch


def write_atomically(content: dict[str, Any], out: Path) -> None:
    """Save so that `out` is either the whole file or untouched."""
    out.parent.mkdir(parents=True, exist_ok=True)
    partial = out.with_name(f'.{out.name}.{os.getpid()}.partial')
    try:
        torch.save(content, partial)
        os.replace(partial, out)
    finally:
        partial.unlink(missing_ok=True)
