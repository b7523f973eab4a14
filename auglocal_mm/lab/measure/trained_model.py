"""A trained classifier and images to evaluate it on, both from its config."""
import copy
from pathlib import Path
from typing import Any

import torch
from mmengine.config import Config
from mmengine.registry import DATASETS, MODELS, DefaultScope
from mmengine.runner import Runner
from torch import nn
from torch.utils.data import DataLoader, Subset

from auglocal_mm.checkpoints import read_checkpoint, verify_complete
from auglocal_mm.config.parts import with_preprocessor


def build_classifier(config: Config, *, auxiliary: bool = True) -> Any:
    """Build the config's model with its data preprocessor, in eval mode, on any accelerator.

    Args:
        config: Classification config.
        auxiliary: Whether a local classifier is built with its auxiliary networks,
            or as the plain classifier that inference needs.
    """
    cfg = copy.deepcopy(with_preprocessor(config))
    if not auxiliary and cfg.pop('local', None) is not None:
        cfg['type'] = 'ImageClassifier'
    with DefaultScope.overwrite_default_scope(config.get('default_scope', 'mmpretrain')):
        model = MODELS.build(cfg)
    model = model.to('cuda' if torch.cuda.is_available() else 'cpu')
    model.eval()
    return model


def load_weights(model: nn.Module, checkpoint: str | Path) -> int | None:
    """Load a checkpoint's weights into a model, without those that the model lacks.

    Args:
        model: As :func:`build_classifier` builds it.
        checkpoint: File of a training run.

    Returns:
        The epoch that it was saved after, if the file states it.

    Raises:
        CheckpointError: The file is unreadable, or weights are missing.
    """
    content = read_checkpoint(checkpoint)
    verify_complete(model, content, checkpoint, optional=('data_preprocessor.',))
    model.load_state_dict({key.removeprefix('module.'): value for key, value
                           in content['state_dict'].items()}, strict=False)
    epoch = content.get('meta', {}).get('epoch')
    return int(epoch) if isinstance(epoch, int) else None


def images_of(config: Config, split: str, *, limit: int | None = None) -> DataLoader:
    """Load a split as in testing: without augmentation, in the data set's order.

    Args:
        config: Classification config.
        split: ``train`` or ``test``.
        limit: Maximum number of images. If there are more, they are taken at equal
            distances, so that a data set sorted by class still yields every class.

    Raises:
        FileNotFoundError, ValueError: The data set is missing.
    """
    from auglocal_mm.datasets.check import check_data

    check_data(config, splits=(split,))
    loader = config[f'{split}_dataloader']
    cfg = copy.deepcopy(loader.dataset)
    inner = cfg
    while 'dataset' in inner and 'pipeline' not in inner:  # a wrapper such as RepeatDataset
        inner = inner.dataset
    inner.pipeline = copy.deepcopy(config.test_dataloader.dataset.pipeline)
    with DefaultScope.overwrite_default_scope(config.get('default_scope', 'mmpretrain')):
        dataset = DATASETS.build(cfg)
        # mmengine does this only for a data set that it builds itself.
        if hasattr(dataset, 'full_init'):
            dataset.full_init()
        if limit is not None and limit < len(dataset):
            chosen = torch.linspace(0, len(dataset) - 1, limit).round().long().tolist()
            dataset = Subset(dataset, chosen)
        return Runner.build_dataloader({
            'dataset': dataset, 'batch_size': config.test_dataloader.batch_size,
            'num_workers': 0, 'sampler': {'type': 'DefaultSampler', 'shuffle': False}})


def count_images(loader: DataLoader) -> int:
    """Return the number of images that a loader of :func:`images_of` yields."""
    return len(loader.dataset)  # type: ignore[arg-type]
