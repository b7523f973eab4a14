"""mmengine's local files, written whole or not at all."""
from __future__ import annotations

from pathlib import Path

from mmengine.fileio import LocalBackend, register_backend

from auglocal_mm.checkpoints.write import write_bytes, write_text

NAME = 'auglocal_mm.WholeFiles'


class WholeFiles(LocalBackend):
    """A local disk on which a file has its name only once it is whole.

    Name it by ``backend_args=dict(backend='auglocal_mm.WholeFiles')``. Other
    methods are those of ``LocalBackend``.

    Raises:
        CheckpointError: A file cannot be written; the old one still stands.
    """

    def put(self, obj: bytes, filepath: str | Path) -> None:
        """Write bytes."""
        write_bytes(obj, filepath)

    def put_text(self, obj: str, filepath: str | Path, encoding: str = 'utf-8') -> None:
        """Write text."""
        write_text(obj, filepath, encoding)


register_backend(NAME, WholeFiles, force=True)
