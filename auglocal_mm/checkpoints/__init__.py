"""Checkpoints: read safely, checked for completeness, written whole, exported, published."""
from .complete import pretrained_files, verify_complete, verify_pretrained
from .errors import CheckpointError
from .export import export_backbone
from .host_reader import use_safe_reader
from .publish import publish_model
from .read import read_checkpoint
from .starting_weights import judge_overlap, require_resumable, require_training_state
from .write import write_atomically

__all__ = ['CheckpointError', 'export_backbone', 'judge_overlap', 'pretrained_files',
           'publish_model', 'read_checkpoint', 'require_resumable', 'require_training_state',
           'use_safe_reader', 'verify_complete', 'verify_pretrained', 'write_atomically']
