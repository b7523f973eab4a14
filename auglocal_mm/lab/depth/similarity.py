"""Similarity of representations: linear CKA between the units of two networks.

Kornblith, Norouzi, Lee, Hinton, *Similarity of Neural Network Representations
Revisited*, ICML 2019, section 3.
"""
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from torch import Tensor


def linear_cka(k: Tensor, l: Tensor) -> float:  # noqa: E741 (the paper's letters)
    """Compute the CKA of two centred Gram matrices [N×N]: ⟨K, L⟩ / (‖K‖·‖L‖).

    This is HSIC(K, L) / √(HSIC(K, K)·HSIC(L, L)) with a linear kernel, for the same
    images. Features that do not vary give 0.
    """
    norms = float(k.norm() * l.norm())
    return float((k * l).sum()) / norms if norms > 0 else 0.0


def chance_cka(k: Tensor, l: Tensor) -> float:  # noqa: E741
    """Compute the mean CKA over shuffled images: tr K·tr L / ((N−1)·‖K‖·‖L‖).

    It is the mean over all permutations of one network's images, exact for centred K and
    L. Unrelated features get a high value only if there are few images and many features.
    """
    norms = float(k.norm() * l.norm())
    return float(k.trace() * l.trace()) / ((len(k) - 1) * norms) if norms > 0 else 0.0


@dataclass(frozen=True)
class Similarity:
    """Linear CKA of every unit of one network with every unit of another.

    Attributes:
        rows, columns: Names of the units, in depth order.
        values: ``values[i][j]`` for row i and column j.
        chance: What unrelated features would give, in the same places.
        images: Number of images.
    """
    rows: tuple[str, ...]
    columns: tuple[str, ...]
    values: tuple[tuple[float, ...], ...]
    chance: tuple[tuple[float, ...], ...]
    images: int

    @property
    def diagonal(self) -> dict[str, float] | None:
        """Similarity of each unit with its namesake; ``None`` if the networks differ."""
        if self.rows != self.columns:
            return None
        return {name: self.values[i][i] for i, name in enumerate(self.rows)}

    @property
    def mean_chance(self) -> float:
        """Mean of `chance`."""
        values = [value for row in self.chance for value in row]
        return sum(values) / len(values)

    def to_dict(self) -> dict[str, Any]:
        """Return plain lists, for JSON."""
        return {'rows': list(self.rows), 'columns': list(self.columns),
                'values': [list(row) for row in self.values],
                'chance': [list(row) for row in self.chance], 'images': self.images}


def compare(rows: Mapping[str, Tensor], columns: Mapping[str, Tensor]) -> Similarity:
    """Compare two networks by their units' centred Gram matrices on the same images.

    Raises:
        ValueError: The matrices belong to different numbers of images.
    """
    sizes = {len(gram) for grams in (rows, columns) for gram in grams.values()}
    if len(sizes) != 1:
        raise ValueError('both networks must have seen the same images, got Gram matrices of '
                         f'{", ".join(map(str, sorted(sizes)))} images')
    values, chance = (
        tuple(tuple(formula(k, each) for each in columns.values()) for k in rows.values())
        for formula in (linear_cka, chance_cka))
    return Similarity(tuple(rows), tuple(columns), values, chance, sizes.pop())
