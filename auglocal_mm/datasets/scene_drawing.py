"""Draws one scene: digits at random sizes and positions on a crop of a photograph.

Positions, sizes and classes depend on the random state alone, never on the
photograph's pixels, so the annotations stay the same where a JPEG decoder rounds
differently.
"""
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from .digit_images import upsample

#: Smallest and largest side in pixels that a digit's 8x8 cells are enlarged to.
MIN_SIDE_PX, MAX_SIDE_PX = 24, 56
MIN_DIGITS, MAX_DIGITS = 2, 5
#: The share of each digit's mask that later digits must leave visible.
MIN_VISIBLE = 0.85

_INK_LEVEL = 7
_EDGE_PX = 1.5
_MAX_SHADE = 90
_PLACE_TRIALS = 20


class Instance(NamedTuple):
    """A digit of a scene: its class, and its visible mask, bool of (H, W)."""

    label: int
    mask: np.ndarray


@dataclass(frozen=True)
class Glyph:
    """A digit ready to be drawn, cropped to its ink: opacity and mask, both (h, w)."""

    label: int
    opacity: np.ndarray
    mask: np.ndarray


def draw_scene(random: np.random.RandomState, *, backgrounds: list[np.ndarray],
               digits: np.ndarray, labels: np.ndarray,
               side_px: int) -> tuple[np.ndarray, list[Instance]]:
    """Draw a square scene.

    Args:
        random: The only source of randomness.
        backgrounds: Photographs, uint8 of (H, W, 3), no side shorter than ``side_px``.
        digits: int64 of (n, 8, 8), levels 0 to 16.
        labels: int64 of (n,).
        side_px: The scene's side.

    Returns:
        The image, uint8 of (side_px, side_px, 3), and its instances in the
        order of drawing, each with the mask that later digits left visible.
    """
    image = _crop(random, backgrounds, side_px).astype(np.float64)
    masks: list[np.ndarray] = []
    full_areas: list[int] = []
    drawn: list[int] = []
    for _ in range(random.randint(MIN_DIGITS, MAX_DIGITS + 1)):
        choice = random.randint(len(digits))
        glyph = make_glyph(digits[choice], label=int(labels[choice]),
                           side_px=random.randint(MIN_SIDE_PX, MAX_SIDE_PX + 1))
        shade = random.randint(0, _MAX_SHADE, size=3)
        spot = _find_place(random, glyph.mask, masks=masks, full_areas=full_areas,
                           side_px=side_px)
        if spot is None:
            continue
        cover = np.zeros((side_px, side_px), dtype=bool)
        cover[spot] = glyph.mask
        masks = [*(mask & ~cover for mask in masks), cover]
        full_areas.append(int(cover.sum()))
        drawn.append(glyph.label)
        _paint(image[spot], glyph, shade)
    instances = [Instance(label, mask) for label, mask in zip(drawn, masks, strict=True)]
    return np.rint(image).astype(np.uint8), instances


def make_glyph(digit: np.ndarray, *, label: int, side_px: int) -> Glyph:
    """Enlarge a digit so that its 8x8 cells are ``side_px`` wide, and crop it to the ink.

    The mask covers the pixels whose interpolated level reaches that of ink. The opacity
    passes one half at its edge and falls to zero over about 1.5 pixels.
    """
    side = digit.shape[0]
    # A margin in which strokes at the border of the cells can fade.
    padded = np.pad(digit, 1)
    field, scale = upsample(padded, -(-side_px * (side + 2) // side))
    mask = field >= _INK_LEVEL * scale
    level_per_px = 16 * side / side_px
    rise = (field / scale - _INK_LEVEL) / (level_per_px * _EDGE_PX)
    box = _bounds(mask)
    return Glyph(label, np.clip(rise + 0.5, 0, 1)[box], mask[box])


def _bounds(mask: np.ndarray) -> tuple[slice, slice]:
    """Return the smallest box around a mask's true elements."""
    rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
    return slice(rows[0], rows[-1] + 1), slice(columns[0], columns[-1] + 1)


def _crop(random: np.random.RandomState, photographs: list[np.ndarray],
          side_px: int) -> np.ndarray:
    photograph = photographs[random.randint(len(photographs))]
    top = random.randint(photograph.shape[0] - side_px + 1)
    left = random.randint(photograph.shape[1] - side_px + 1)
    piece = photograph[top:top + side_px, left:left + side_px]
    return piece[:, ::-1] if random.randint(2) else piece


def _find_place(random: np.random.RandomState, glyph: np.ndarray, *, masks: list[np.ndarray],
                full_areas: list[int], side_px: int) -> tuple[slice, slice] | None:
    """Look for a place where the glyph leaves enough of every earlier digit visible."""
    height, width = glyph.shape
    for _ in range(_PLACE_TRIALS):
        top = random.randint(side_px - height + 1)
        left = random.randint(side_px - width + 1)
        spot = slice(top, top + height), slice(left, left + width)
        visible = [mask.sum() - (mask[spot] & glyph).sum() for mask in masks]
        if all(left_px >= MIN_VISIBLE * area
               for left_px, area in zip(visible, full_areas, strict=True)):
            return spot
    return None


def _paint(region: np.ndarray, glyph: Glyph, shade: np.ndarray) -> None:
    """Blend the glyph into a region of the image: dark on light, light on dark."""
    colour = shade if region[glyph.mask].mean() > 127.5 else 255 - shade
    opacity = glyph.opacity[..., None]
    region[...] = opacity * colour + (1 - opacity) * region
