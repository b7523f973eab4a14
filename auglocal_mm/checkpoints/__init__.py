"""Checkpoints: read safely, checked for completeness, written whole, exported, published."""
from .complete import verify_complete, verify_pretrained
from .errors import CheckpointError
from .export import export_backbone
from .publish import publish_model
from .read import read_checkpoint
from .write import write_atomically

__all__ = ['CheckpointError', 'export_backbone', 'publish_model', 'read_checkpoint',
           'verify_complete', 'verify_pretrained', 'write_atomically']
