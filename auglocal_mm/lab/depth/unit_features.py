"""The output of every unit of a frozen backbone for some images."""
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from auglocal_mm.partition import Features, Tokens, feature_map, partition


@dataclass(frozen=True)
class PooledFeatures:
    """Spatial means of every unit's output.

    Attributes:
        values: Unit name to features [N×C], in depth order.
        labels: Class indices [N].
    """
    values: dict[str, Tensor]
    labels: Tensor


def unit_names(model: nn.Module) -> tuple[str, ...]:
    """Return the names of the units of a classifier's backbone, in depth order."""
    return tuple(unit.name for unit in partition(model.backbone))  # type: ignore[arg-type]


@torch.no_grad()
def pooled_features(model: nn.Module, loader: Iterable[Any]) -> PooledFeatures:
    """Average every unit's output over all positions (a transformer's over its patches).

    The model is put into eval mode and stays in it.

    Raises:
        TypeError: The backbone cannot be cut into units.
        ValueError: The loader yielded no sample.
    """
    units = partition(model.backbone)  # type: ignore[arg-type]
    parts: dict[str, list[Tensor]] = {unit.name: [] for unit in units}
    labels: list[Tensor] = []
    x: Features
    for x, targets in _batches(model, loader):
        labels.append(targets)
        for unit in units:
            x = unit.forward(model.backbone, x)  # type: ignore[arg-type]
            parts[unit.name].append(feature_map(x).mean(dim=(2, 3)).float().cpu())
    if not labels:
        raise _no_samples()
    return PooledFeatures({name: torch.cat(each) for name, each in parts.items()},
                          torch.cat(labels))


@torch.no_grad()
def unit_grams(model: nn.Module, loader: Iterable[Any]) -> dict[str, Tensor]:
    """Compute the centred Gram matrix of every unit's whole output.

    Positions and channels are features. All images pass through one unit before the
    next, so only one unit's output is in memory at a time, whatever the depth.

    Returns:
        Unit name to K = X̄X̄ᵀ [N×N] in float64, where X [N×P] are the flattened
        outputs and X̄ is X minus its mean over the images.

    Raises:
        TypeError: The backbone cannot be cut into units.
        ValueError: The loader yielded fewer than 2 samples.
    """
    chunks: list[Features] = [x for x, _ in _batches(model, loader)]
    count = sum(len(_flat(x)) for x in chunks)
    if count < 2:
        raise _no_samples() if count == 0 else ValueError(
            'similarity needs at least 2 images, got 1; raise --images')
    grams = {}
    for unit in partition(model.backbone):  # type: ignore[arg-type]
        for i, x in enumerate(chunks):
            chunks[i] = unit.forward(model.backbone, x)  # type: ignore[arg-type]
        grams[unit.name] = centred_gram([_flat(x) for x in chunks])
    return grams


def centred_gram(chunks: list[Tensor]) -> Tensor:
    """Compute K = X̄X̄ᵀ [N×N] of features X [N×P] given in chunks of rows.

    The mean is subtracted before the product, while float32 still has enough digits.
    """
    total = sum(len(chunk) for chunk in chunks)
    mean = sum((chunk.double().sum(dim=0) for chunk in chunks), torch.zeros((), device=(
        chunks[0].device), dtype=torch.float64)) / total
    rows = [(chunk - mean).to(chunk.dtype) for chunk in chunks]
    return torch.cat([torch.cat([a @ b.T for b in rows], dim=1) for a in rows]).double().cpu()


def _flat(x: Features) -> Tensor:
    return (x.values if isinstance(x, Tokens) else x).flatten(1).float()


def _batches(model: nn.Module, loader: Iterable[Any]) -> Iterator[tuple[Tensor, Tensor]]:
    """Yield preprocessed images and their labels."""
    model.eval()
    for batch in loader:
        data = model.data_preprocessor(batch, False)  # type: ignore[operator]
        labels = [sample.gt_label.reshape(1).cpu() for sample in data['data_samples']]
        yield data['inputs'], torch.cat(labels)


def _no_samples() -> ValueError:
    return ValueError('loader must yield at least 1 sample, got 0: check the data set')
