"""A trained backbone as a file for any mmpretrain or mmdet config."""
from __future__ import annotations

from pathlib import Path

from .complete import require_complete, strip
from .errors import CheckpointError, some
from .own_model import own_model
from .read import read_checkpoint
from .starting_weights import require_finite
from .write import write_atomically


def export_backbone(checkpoint: str | Path, out: str | Path, *,
                    config: str | Path | None = None) -> int:
    """Write a trained classifier's backbone for any mmpretrain or mmdet config.

    The file loads with ``init_cfg=dict(type='Pretrained', checkpoint=out,
    prefix='backbone.')``. If the checkpoint holds its config, the backbone is built
    from it and must load completely. The file appears whole or not at all.

    Args:
        checkpoint: A file that a training run saved.
        out: The file to write.
        config: A config that the user trusts, in place of the checkpoint's own, of
            which only registered classes are built.

    Returns:
        Number of entries written.

    Raises:
        CheckpointError: The file is unreadable, its backbone is missing, incomplete or not
            finite, or its config names something that is not registered.
    """
    content = read_checkpoint(checkpoint)
    state = {key: value for key, value in content['state_dict'].items()
             if key.startswith('backbone.')}
    if not state:
        raise CheckpointError(
            f'{checkpoint} has no entry under "backbone.", only '
            f'{some(content["state_dict"])}; give the checkpoint of a trained classifier')
    require_finite(state, checkpoint)
    backbone = own_model(content, checkpoint, config, part='backbone')
    if backbone is not None:
        require_complete(backbone, strip(state, 'backbone.'), str(checkpoint))
    meta = content.get('meta', {})
    kept = {key: meta[key] for key in ('cfg', 'epoch', 'iter', 'seed', 'dataset_meta')
            if key in meta}
    write_atomically({'state_dict': state, 'meta': kept}, Path(out))
    return len(state)

