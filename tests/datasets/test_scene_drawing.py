"""Scenes: what is drawn is what is annotated."""
import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from auglocal_mm.datasets.digit_images import load_digit_images
from auglocal_mm.datasets.scene_drawing import (
    MAX_DIGITS,
    MAX_SIDE_PX,
    MIN_SIDE_PX,
    MIN_VISIBLE,
    draw_scene,
    make_glyph,
)

DIGITS, LABELS = load_digit_images('test')
GREY = [np.full((140, 150, 3), level, dtype=np.uint8) for level in (20, 235)]


def scene(seed, backgrounds=GREY):
    return draw_scene(np.random.RandomState(seed), backgrounds=backgrounds, digits=DIGITS,
                      labels=LABELS, side_px=128)


@given(seed=st.integers(0, 2**32 - 1))
def test_visible_masks_are_apart_and_show_a_contrast(seed):
    image, instances = scene(seed)
    assert image.shape == (128, 128, 3)
    assert 1 <= len(instances) <= MAX_DIGITS
    cover = np.sum([instance.mask for instance in instances], axis=0)
    assert cover.max() == 1
    # At least half of the way from the background to the digit's shade.
    background = np.median(image[cover == 0])
    contrast = np.abs(image[cover == 1].astype(float).mean(axis=1) - background)
    assert np.median(contrast) > 60


@given(seed=st.integers(0, 2**32 - 1))
def test_annotations_do_not_depend_on_the_photographs(seed):
    noise = np.random.RandomState(0).randint(0, 256, size=(140, 150, 3)).astype(np.uint8)
    for ours, theirs in zip(scene(seed)[1], scene(seed, [noise, 255 - noise])[1], strict=True):
        assert ours.label == theirs.label
        assert np.array_equal(ours.mask, theirs.mask)


@given(choice=st.integers(0, len(DIGITS) - 1), side_px=st.integers(MIN_SIDE_PX, MAX_SIDE_PX))
def test_glyphs_are_cut_to_their_ink(choice, side_px):
    glyph = make_glyph(DIGITS[choice], label=int(LABELS[choice]), side_px=side_px)
    assert max(glyph.mask.shape) <= side_px * 10 // 8 + 1
    assert all(glyph.mask[edge].any() for edge in (0, -1))
    assert all(glyph.mask[:, edge].any() for edge in (0, -1))
    assert np.array_equal(glyph.opacity >= 0.5, glyph.mask)


def test_later_digits_leave_most_of_the_earlier_visible():
    digit = DIGITS[:1]
    sizes = []
    for seed in range(40):
        _, instances = draw_scene(np.random.RandomState(seed), backgrounds=GREY, digits=digit,
                                  labels=LABELS[:1], side_px=128)
        sizes += [instance.mask.sum() for instance in instances]
    smallest = make_glyph(digit[0], label=0, side_px=MIN_SIDE_PX).mask.sum()
    assert min(sizes) >= MIN_VISIBLE * smallest
