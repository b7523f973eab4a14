"""The documented import of :mod:`auglocal_mm.checkpoints`, kept for existing code."""
from .checkpoints import (
    CheckpointError,
    export_backbone,
    read_checkpoint,
    verify_complete,
    verify_pretrained,
)

__all__ = ['CheckpointError', 'export_backbone', 'read_checkpoint', 'verify_complete',
           'verify_pretrained']
