"""Crops and flips of a batch are those of the transforms for single images."""
from itertools import product

import mmcv
import numpy as np
import pytest
import torch
from mmpretrain.registry import TRANSFORMS

from auglocal_mm.datasets.crop_and_flip import BORDERS, CropAndFlip, Draws

SIDE, PAD = 6, 2
FLIPS = (None, 'horizontal', 'vertical', 'diagonal')


def one_by_one(image, top, left, flip, *, padding, border, fill, size):
    """Do what mmpretrain's transforms do, with offsets that are given."""
    image = mmcv.impad(image, padding=padding, pad_val=fill, padding_mode=border)
    image = mmcv.imcrop(image, np.array([left, top, left + size[1] - 1, top + size[0] - 1]))
    return image if flip is None else mmcv.imflip(image, flip)


@pytest.mark.parametrize('border', BORDERS)
@pytest.mark.parametrize(('padding', 'size'), [
    ((PAD, PAD, PAD, PAD), (SIDE, SIDE)), ((0, 1, 2, 3), (5, 4)), ((0, 0, 0, 0), (3, 5))])
def test_every_offset_and_flip_gives_the_pixels_of_the_transforms(border, padding, size):
    left, top, right, bottom = padding
    rows = SIDE + top + bottom - size[0] + 1
    columns = SIDE + left + right - size[1] + 1
    cases = list(product(range(rows), range(columns), FLIPS))
    images = np.random.default_rng(0).integers(0, 256, (len(cases), SIDE, SIDE, 3), dtype=np.uint8)
    fill = (7, 8, 9)
    expected = [one_by_one(image, *case, padding=padding, border=border, fill=fill, size=size)
                for image, case in zip(images, cases, strict=True)]
    augment = CropAndFlip(size=size, padding=padding, border=border, fill=fill)
    measured = augment.apply(torch.from_numpy(images).permute(0, 3, 1, 2), Draws(
        top=np.array([row for row, _, _ in cases]), left=np.array([each for _, each, _ in cases]),
        upside_down=np.array([flip in ('vertical', 'diagonal') for *_, flip in cases]),
        mirrored=np.array([flip in ('horizontal', 'diagonal') for *_, flip in cases])))
    assert measured.dtype == torch.uint8
    assert np.array_equal(measured.permute(0, 2, 3, 1).numpy(), np.stack(expected))


def found_in(images):
    """Return where crops of a numbered image come from, and whether they are mirrored.

    The image's pixels are 1 + row and 1 + column in two channels; the border is 0.
    """
    middle = images[:, SIDE // 2, SIDE // 2].astype(int)
    mirrored = images[:, SIDE // 2, SIDE // 2 - 1, 1] > middle[:, 1]
    return np.stack([middle[:, 0], middle[:, 1], mirrored], axis=1)


def test_the_distribution_is_that_of_the_transforms():
    """A test of homogeneity: 25 offsets x 2 flips, 5,000 images on either side."""
    row, column = np.mgrid[1:SIDE + 1, 1:SIDE + 1]
    image = np.stack([row, column, row], axis=-1).astype(np.uint8)
    count = 5000
    np.random.seed(0)
    crop = TRANSFORMS.build({'type': 'RandomCrop', 'crop_size': SIDE, 'padding': PAD})
    flip = TRANSFORMS.build({'type': 'RandomFlip', 'prob': 0.3, 'direction': 'horizontal'})
    singly = np.stack([flip(crop({'img': image}))['img'] for _ in range(count)])
    augment = CropAndFlip(size=(SIDE, SIDE), padding=(PAD,) * 4, flips=(('horizontal', 0.3),))
    draws = augment.draw(count, SIDE, SIDE, np.random.default_rng(0))
    batch = torch.from_numpy(image).permute(2, 0, 1).expand(count, -1, -1, -1)
    together = augment.apply(batch, draws).permute(0, 2, 3, 1).numpy()
    cases, which = np.unique(
        np.concatenate([found_in(singly), found_in(together)]), axis=0, return_inverse=True)
    assert len(cases) == (2 * PAD + 1)**2 * 2
    counts = np.stack([np.bincount(part, minlength=len(cases))
                       for part in np.split(which.ravel(), 2)])
    statistic = ((counts[0] - counts[1])**2 / counts.sum(axis=0)).sum()
    # 49 degrees of freedom: 85.4 is exceeded in one of 1,000 seeds.
    assert statistic < 85.4


def test_directions_have_their_probabilities():
    augment = CropAndFlip(flips=(('horizontal', 0.5), ('vertical', 0.2), ('diagonal', 0.1)))
    draws = augment.draw(20_000, SIDE, SIDE, np.random.default_rng(0))
    kinds = draws.upside_down * 2 + draws.mirrored
    assert np.bincount(kinds) / 20_000 == pytest.approx([0.2, 0.5, 0.2, 0.1], abs=0.01)
    assert not draws.top.any()


def test_shares_that_round_to_more_than_one_are_accepted():
    shares = (0.2, 0.7000000000000001, 0.1)
    assert sum(shares) > 1
    augment = CropAndFlip(flips=tuple(zip(FLIPS[1:], shares, strict=True)))
    draws = augment.draw(100, SIDE, SIDE, np.random.default_rng(0))
    assert (draws.upside_down | draws.mirrored).all()


def test_images_stay_whole_without_a_crop():
    images = torch.arange(2 * 3 * 4 * 5).view(2, 3, 4, 5).float()
    augment = CropAndFlip(flips=(('horizontal', 1.0),))
    draws = augment.draw(2, 4, 5, np.random.default_rng(0))
    assert torch.equal(augment.apply(images, draws), images.flip(3))


def test_a_crop_that_does_not_fit_is_refused():
    with pytest.raises(ValueError, match='8x8 must fit into images of 6x6 with padding'):
        CropAndFlip(size=(8, 8)).draw(1, 6, 6, np.random.default_rng(0))
