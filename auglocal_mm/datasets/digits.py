"""Handwritten digits: a real data set that needs no download."""
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from mmpretrain.datasets import BaseDataset

from auglocal_mm.registry import DATASETS
from auglocal_mm.validation import Faults, check_choice

from .digit_images import DIGIT_CLASSES, SPLITS, load_digit_images, upsample
from .settings import IMAGE_KEYS, check_settings

IMAGE_SIDE_PX = 32
_FULL_LEVEL = 16


@DATASETS.register_module()
class Digits(BaseDataset):
    """Scikit-learn's 1,797 handwritten digits as 32x32 RGB images.

    The 8x8 images (17 grey levels, light strokes on black) are enlarged by
    bilinear interpolation. 1,437 of them are the training images, the other
    360 the test images; each class is split 4 : 1 (see
    :func:`~auglocal_mm.datasets.digit_images.load_digit_images`).

    Each sample holds ``img``, a uint8 array of shape (32, 32, 3) with three
    equal channels, and ``gt_label``, 0 to 9, like those of mmpretrain's ``CIFAR10``.

    Args:
        split: ``'train'`` or ``'test'``.
        metainfo: Meta information that overrides the class names.
        pipeline: Transforms of mmpretrain; an image needs no loading.
        test_mode: As in :class:`mmpretrain.datasets.BaseDataset`.
        **kwargs: Other arguments of :class:`mmpretrain.datasets.BaseDataset`.

    Raises:
        ValueError: A setting is impossible.
        ModuleNotFoundError: Scikit-learn, which contains the data, is missing.
    """

    METAINFO = {'classes': DIGIT_CLASSES}

    def __init__(self, *, split: str = 'train', metainfo: dict[str, Any] | None = None,
                 pipeline: Sequence[Any] = (), test_mode: bool = False, **kwargs: Any) -> None:
        self.check({'split': split, 'metainfo': metainfo, 'pipeline': pipeline,
                    'test_mode': test_mode, **kwargs})
        self.split = split
        super().__init__(ann_file='', metainfo=metainfo, pipeline=pipeline,
                         test_mode=test_mode, **kwargs)

    @classmethod
    def check(cls, settings: Mapping[str, Any]) -> None:
        """Check settings without loading anything.

        Raises:
            ValueError: Settings are impossible; all faults are listed.
        """
        faults = Faults(cls.__name__)
        check_choice(faults, 'split', settings.get('split', 'train'), SPLITS)
        check_settings(faults, ('split', *IMAGE_KEYS), settings)
        faults.raise_if_any()

    def load_data_list(self) -> list[dict[str, Any]]:
        """Return one ``dict(img=..., gt_label=...)`` per image of the split."""
        levels, labels = load_digit_images(self.split)
        samples = []
        for level, label in zip(levels, labels, strict=True):
            field, full = upsample(level, IMAGE_SIDE_PX)
            # Rounded in integers, so that every machine gets the same pixels.
            grey = (field * 255 + full * _FULL_LEVEL // 2) // (full * _FULL_LEVEL)
            img = np.repeat(grey.astype(np.uint8)[..., None], 3, axis=-1)
            samples.append(dict(img=img, gt_label=int(label)))
        return samples

    def extra_repr(self) -> list[str]:
        """Return the lines that ``repr`` adds to those of every data set."""
        return [f'Split: \t{self.split}']
