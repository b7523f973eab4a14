"""Comparison of two trained networks on the same images."""
from pathlib import Path

from mmengine.config import Config
from torch import Tensor

from auglocal_mm.lab.measure.trained_model import build_classifier, images_of, load_weights

from .similarity import Similarity, compare
from .unit_features import unit_grams


def compare_networks(first: tuple[Config, str | Path], second: tuple[Config, str | Path], *,
                     limit: int) -> Similarity:
    """Compute the linear CKA of all units of two networks.

    Args:
        first, second: Config and checkpoint. Both see the test images of the first
            config, each through its own data preprocessor.
        limit: Maximum number of images, at least 2.

    Raises:
        CheckpointError, FileNotFoundError, TypeError, ValueError: A file or the data is
            missing or unsuitable, or a backbone cannot be cut into units.
    """
    if limit < 2:
        raise ValueError(f'similarity needs at least 2 images, got {limit}; use a few '
                         'hundred')

    def grams(config: Config, checkpoint: str | Path) -> dict[str, Tensor]:
        model = build_classifier(config, auxiliary=False)
        load_weights(model, checkpoint)
        return unit_grams(model, images_of(first[0], 'test', limit=limit))

    return compare(grams(*first), grams(*second))
