"""A trained backbone as a file for any mmpretrain or mmdet config."""
from __future__ import annotations

from pathlib import Path

from mmengine.config import ConfigDict
from mmengine.registry import MODELS, DefaultScope
from torch import nn

from .complete import require_complete, strip
from .errors import CheckpointError, some
from .literal_config import read_literal_config
from .read import read_checkpoint
from .write import write_atomically


def export_backbone(checkpoint: str | Path, out: str | Path) -> int:
    """Write a trained classifier's backbone for any mmpretrain or mmdet config.

    The file loads with ``init_cfg=dict(type='Pretrained', checkpoint=out,
    prefix='backbone.')``. If the checkpoint holds its config, the backbone is built
    from it and must load completely. The file appears whole or not at all.

    Args:
        checkpoint: A file that a training run saved.
        out: The file to write.

    Returns:
        Number of entries written.

    Raises:
        CheckpointError: The file is unreadable, or holds no backbone or an incomplete one.
    """
    content = read_checkpoint(checkpoint)
    state = {key: value for key, value in content['state_dict'].items()
             if key.startswith('backbone.')}
    if not state:
        raise CheckpointError(
            f'{checkpoint} has no entry under "backbone.", only '
            f'{some(content["state_dict"])}; give the checkpoint of a trained classifier')
    meta = content.get('meta', {})
    if 'cfg' in meta:
        require_complete(_build_backbone(meta['cfg']), strip(state, 'backbone.'), str(checkpoint))
    kept = {key: meta[key] for key in ('cfg', 'epoch', 'iter', 'seed', 'dataset_meta')
            if key in meta}
    write_atomically({'state_dict': state, 'meta': kept}, Path(out))
    return len(state)


def _build_backbone(text: str) -> nn.Module:
    cfg = ConfigDict(read_literal_config(text))
    backbone = cfg.model.backbone
    backbone.pop('init_cfg', None)
    with DefaultScope.overwrite_default_scope(cfg.get('default_scope', 'mmpretrain')):
        return MODELS.build(backbone)
