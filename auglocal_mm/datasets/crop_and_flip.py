"""Random crops and flips of a whole batch of images at once, on any device."""
from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

#: Names of borders, as in mmpretrain's ``RandomCrop`` and in ``numpy.pad``.
BORDERS = ('constant', 'edge', 'reflect', 'symmetric')
#: Directions of flips -> whether they reverse the rows, and the columns.
FLIPS = {'horizontal': (False, True), 'vertical': (True, False), 'diagonal': (True, True)}


@dataclass(frozen=True, kw_only=True)
class Draws:
    """What was drawn for each of B images.

    Attributes:
        top: First row of each crop in the padded image [B].
        left: First column [B].
        upside_down: Whether its rows are reversed [B].
        mirrored: Whether its columns are reversed [B].
    """
    top: np.ndarray
    left: np.ndarray
    upside_down: np.ndarray
    mirrored: np.ndarray


@dataclass(frozen=True, kw_only=True)
class CropAndFlip:
    """Pads, crops and flips images, each by its own random numbers.

    Equal in distribution to one image after the other by mmpretrain's ``RandomCrop`` and
    ``RandomFlip``: offsets are uniform and independent, and so are flips.

    Attributes:
        size: Rows and columns of a crop; ``None`` for those of the image.
        padding: Pixels added at the left, the top, the right and the bottom.
        border: What they hold, of :data:`BORDERS`.
        fill: The value of a constant border, one for all channels or one for each.
        flips: Directions, of :data:`FLIPS`, each with its probability.
    """
    size: tuple[int, int] | None = None
    padding: tuple[int, int, int, int] = (0, 0, 0, 0)
    border: str = 'constant'
    fill: tuple[float, ...] = (0,)
    flips: tuple[tuple[str, float], ...] = ()

    def draw(self, images: int, height: int, width: int, rng: np.random.Generator) -> Draws:
        """Draw the numbers for images of a size.

        Raises:
            ValueError: The crop is larger than the padded image.
        """
        left, top, right, bottom = self.padding
        rows, columns = self.size or (height, width)
        free = (height + top + bottom - rows, width + left + right - columns)
        if min(free) < 0:
            raise ValueError(f'a crop of {rows}x{columns} must fit into images of {height}x{width} '
                             f'with padding {self.padding}; enlarge the padding')
        shares = [share for _, share in self.flips]
        # The sum of rounded shares may be above 1.
        unflipped = max(0.0, 1 - sum(shares))
        chosen = rng.choice(len(shares) + 1, size=images, p=[unflipped, *shares])
        reversed_axes = np.array([(False, False), *(FLIPS[name] for name, _ in self.flips)])
        upside_down, mirrored = reversed_axes[chosen].T
        offsets = [rng.integers(0, each + 1, images) for each in free]
        return Draws(top=offsets[0], left=offsets[1], upside_down=upside_down, mirrored=mirrored)

    def apply(self, images: Tensor, draws: Draws) -> Tensor:
        """Return the crops [B, C, rows, columns] of images [B, C, H, W], in their dtype."""
        height, width = images.shape[-2:]
        rows, columns = self.size or (height, width)
        left, top, right, bottom = self.padding
        row = _indices(draws.top, rows, draws.upside_down)
        column = _indices(draws.left, columns, draws.mirrored)
        if self.border == 'constant':
            images = self._filled(images)
        else:
            row = _sources(height, (top, bottom), self.border)[row]
            column = _sources(width, (left, right), self.border)[column]
        picked = (torch.from_numpy(row)[:, :, None] * images.shape[-1]
                  + torch.from_numpy(column)[:, None, :]).flatten(1).to(images.device)
        channels = images.shape[1]
        flat = images.flatten(2).gather(2, picked[:, None].expand(-1, channels, -1))
        return flat.unflatten(2, (rows, columns))

    def _filled(self, images: Tensor) -> Tensor:
        """Add a constant border."""
        left, top, right, bottom = self.padding
        count, channels, height, width = images.shape
        fill = torch.tensor(self.fill, dtype=images.dtype, device=images.device)
        padded = fill.view(1, -1, 1, 1).expand(
            count, channels, height + top + bottom, width + left + right).contiguous()
        padded[:, :, top:top + height, left:left + width] = images
        return padded


def _indices(first: np.ndarray, length: int, backwards: np.ndarray) -> np.ndarray:
    """Return each image's rows (or columns) in the order in which the crop has them [B, length]."""
    steps = np.arange(length)
    return first[:, None] + np.where(backwards[:, None], steps[::-1], steps)


def _sources(length: int, padding: tuple[int, int], border: str) -> np.ndarray:
    """Return, for each row (or column) of the padded image, the image's own that it repeats."""
    return np.pad(np.arange(length), padding, mode=border)  # type: ignore[call-overload]
