"""Checksums of files, and descriptions of files that fail them."""
from __future__ import annotations

import hashlib
import os
from pathlib import Path

_CHUNK_BYTES = 2**20


def md5_of(path: Path) -> str:
    """Return the MD5 of a file's content, 32 hexadecimal digits."""
    # Where a system is in FIPS mode, Python refuses MD5 without this flag.
    digest = hashlib.md5(usedforsecurity=False)
    with path.open('rb') as file:
        while chunk := file.read(_CHUNK_BYTES):
            digest.update(chunk)
    return digest.hexdigest()


def damage_of(path: Path, *, md5: str, size_bytes: int | None = None) -> str | None:
    """Describe what is wrong with an existing file; return None if nothing is.

    Raises:
        OSError: The file is missing or cannot be read.
    """
    # First, because it raises for a missing file, where is_file only says no.
    found_bytes = os.stat(path).st_size
    if not path.is_file():
        return 'is not a file'
    if size_bytes is not None and found_bytes != size_bytes:
        return f'has {found_bytes:,} bytes, expected {size_bytes:,}'
    found = md5_of(path)
    return None if found == md5 else f'has md5 {found}, expected {md5}'
