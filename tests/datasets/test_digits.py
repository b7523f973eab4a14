"""The digits as a data set of mmpretrain."""
import numpy as np
import pytest
from mmpretrain.registry import DATASETS as MMPRETRAIN_DATASETS

import auglocal_mm
from auglocal_mm.datasets import Digits
from auglocal_mm.registry import DATASETS


@pytest.mark.parametrize(('split', 'count'), [('train', 1437), ('test', 360)])
def test_samples_hold_an_rgb_image_and_its_label(split, count):
    digits = Digits(split=split)
    assert len(digits) == count
    assert set(digits.get_gt_labels().tolist()) == set(range(10))
    img = digits[0]['img']
    assert img.shape == (32, 32, 3)
    assert img.dtype == np.uint8
    assert (img == img[..., :1]).all()
    assert img.min() == 0
    assert 200 < img.max() <= 255


def test_pixels_are_those_of_scikit_learn():
    from sklearn.datasets import load_digits
    first = load_digits().images[1]
    img = Digits(split='train')[0]['img'][..., 0]
    # The mean of a cell's 4x4 pixels stays close to its level.
    assert np.corrcoef(img.reshape(8, 4, 8, 4).mean(axis=(1, 3)).ravel(), first.ravel())[0, 1] > .98


def test_registries_of_both_scopes_find_it():
    assert DATASETS.get('Digits') is Digits is auglocal_mm.Digits
    assert MMPRETRAIN_DATASETS.get('auglocal_mm.Digits') is Digits


def test_pipeline_of_mmpretrain_packs_it():
    digits = Digits(split='test', pipeline=[dict(type='mmpretrain.RandomCrop', crop_size=32,
                                                 padding=4), dict(type='mmpretrain.PackInputs')])
    packed = digits[3]
    assert packed['inputs'].shape == (3, 32, 32)
    assert packed['data_samples'].gt_label.item() == digits.get_gt_labels()[3]


def test_unknown_split_is_refused():
    with pytest.raises(ValueError, match="got 'val'"):
        Digits(split='val')


def test_class_names_and_repr():
    digits = Digits(split='test')
    assert digits.metainfo['classes'] == tuple('0123456789')
    assert 'Split: \ttest' in repr(digits)
