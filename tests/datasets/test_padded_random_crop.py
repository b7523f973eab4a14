"""The border of a crop is the one that the config names."""
import numpy as np
import pytest
from mmpretrain.registry import TRANSFORMS

from auglocal_mm.datasets.crop_and_flip import BORDERS

IMAGE = np.random.default_rng(0).integers(1, 256, (8, 8, 3), dtype=np.uint8)


def crops(kind, **settings):
    crop = TRANSFORMS.build({'type': kind, 'crop_size': 8, 'padding': 3, **settings})
    np.random.seed(0)
    return np.stack([crop({'img': IMAGE})['img'] for _ in range(50)])


def test_the_hosts_crop_is_black_whatever_its_mode():
    """If this fails, mmpretrain has been repaired, and PaddedRandomCrop may go."""
    assert np.array_equal(crops('RandomCrop', padding_mode='reflect'), crops('RandomCrop'))


def test_a_constant_border_is_the_hosts():
    assert np.array_equal(crops('auglocal_mm.PaddedRandomCrop'), crops('RandomCrop'))


@pytest.mark.parametrize('mode', [mode for mode in BORDERS if mode != 'constant'])
def test_other_borders_repeat_the_image(mode):
    measured = crops('auglocal_mm.PaddedRandomCrop', padding_mode=mode)
    padded = np.pad(IMAGE, ((3, 3), (3, 3), (0, 0)), mode=mode)
    windows = np.lib.stride_tricks.sliding_window_view(padded, (8, 8, 3)).reshape(-1, 8, 8, 3)
    assert all((windows == each).all(axis=(1, 2, 3)).any() for each in measured)
    assert len(np.unique(measured, axis=0)) > 20
