"""The digits' split and their exact enlargement."""
import builtins

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from auglocal_mm.datasets.digit_images import SPLITS, load_digit_images, upsample


def test_split_is_a_partition_of_all_digits():
    from sklearn.datasets import load_digits
    images = [load_digit_images(split)[0] for split in SPLITS]
    assert [len(part) for part in images] == [1437, 360]
    rows = np.sort(np.concatenate(images).reshape(-1, 64), axis=0)
    assert np.array_equal(rows, np.sort(load_digits().data.astype(np.int64), axis=0))


@pytest.mark.parametrize(('split', 'counts'), [
    ('train', [142, 146, 141, 147, 144, 146, 145, 143, 139, 144]),
    ('test', [36, 36, 36, 36, 37, 36, 36, 36, 35, 36])])
def test_split_is_stratified(split, counts):
    assert np.bincount(load_digit_images(split)[1]).tolist() == counts


def test_unknown_split_is_refused():
    with pytest.raises(ValueError, match=r"split must be one of \('train', 'test'\), got 'val'"):
        load_digit_images('val')


def test_missing_scikit_learn_is_explained(monkeypatch):
    original = builtins.__import__

    def without_sklearn(name, *args, **kwargs):
        if name.startswith('sklearn'):
            raise ModuleNotFoundError(f'No module named {name!r}', name=name)
        return original(name, *args, **kwargs)

    monkeypatch.setattr(builtins, '__import__', without_sklearn)
    with pytest.raises(ModuleNotFoundError, match='pip install scikit-learn'):
        load_digit_images('train')


@given(image=arrays(np.int64, st.integers(2, 12).map(lambda side: (side, side)),
                    elements=st.integers(0, 16)),
       extra_px=st.integers(0, 60))
def test_upsample_is_bilinear_interpolation(image, extra_px):
    side_px = len(image) + extra_px
    field, scale = upsample(image, side_px)
    oracle = torch.nn.functional.interpolate(
        torch.from_numpy(image)[None, None].double(), size=(side_px, side_px), mode='bilinear')
    assert field.dtype == np.int64
    np.testing.assert_allclose(field / scale, oracle[0, 0].numpy(), rtol=0, atol=1e-12)


def test_upsample_refuses_to_shrink():
    with pytest.raises(ValueError, match='at least the image\'s side 8, got 7'):
        upsample(np.zeros((8, 8), dtype=np.int64), 7)
