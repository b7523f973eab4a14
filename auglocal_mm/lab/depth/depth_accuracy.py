"""Accuracy by depth of a network's checkpoints: auxiliary networks and linear probes."""
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from mmengine.config import Config

from auglocal_mm.lab.measure.trained_model import (
    build_classifier,
    count_images,
    images_of,
    load_weights,
)

from .linear_probe import fit_probe
from .local_accuracy import local_accuracy
from .unit_features import pooled_features, unit_names


@dataclass(frozen=True)
class DepthAccuracy:
    """Top-1 on the test split, in percent, of one checkpoint.

    Attributes:
        label: Name of the checkpoint, e.g. ``epoch 24``.
        heads: Unit name to the accuracy of its auxiliary network; for the last unit,
            the accuracy of the classifier's own head.
        probes: Unit name to the accuracy of a linear probe.
    """
    label: str
    heads: dict[str, float] = field(default_factory=dict)
    probes: dict[str, float] = field(default_factory=dict)

    def to_dict(self) -> dict[str, Any]:
        """Return plain values, for JSON."""
        return {'label': self.label, 'heads': self.heads, 'probes': self.probes}


@dataclass(frozen=True)
class DepthStudy:
    """Checkpoints of one network, measured on the same images.

    Attributes:
        name: Name of the network, e.g. the config's name.
        units: All units of the backbone, in depth order.
        checkpoints: One entry each, in the order given.
        test_images: Images that accuracies were measured on.
        probe_images: Training images that probes were fitted to; 0 without probes.
    """
    name: str
    units: tuple[str, ...]
    checkpoints: tuple[DepthAccuracy, ...]
    test_images: int
    probe_images: int = 0

    def to_dict(self) -> dict[str, Any]:
        """Return plain values, for JSON."""
        return {'name': self.name, 'units': list(self.units), 'test_images': self.test_images,
                'probe_images': self.probe_images,
                'checkpoints': [each.to_dict() for each in self.checkpoints]}


def study_depth(config: Config, checkpoints: Sequence[str | Path], *, name: str,
                probes: bool = False, limit: int | None = None,
                told: Callable[[str], None] = print) -> DepthStudy:
    """Measure every checkpoint.

    Args:
        config: Classification config, local or not.
        checkpoints: Files that were trained with it.
        name: Name of the network.
        probes: Also fit linear probes. A network without auxiliary networks has nothing
            else but its head.
        limit: Maximum number of training images that probes are fitted to.
        told: Called with a line after each checkpoint.

    Raises:
        CheckpointError, FileNotFoundError, TypeError, ValueError: A file or the data is
            missing or unsuitable, or the backbone cannot be cut into units.
    """
    model = build_classifier(config)
    if not probes and not getattr(model, 'auxiliary', None):
        raise ValueError(f'{name} has no auxiliary networks to measure; ask for --probes')
    units = unit_names(model)
    test = images_of(config, 'test')
    train = images_of(config, 'train', limit=limit) if probes else None
    measured = []
    for path in checkpoints:
        epoch = load_weights(model, path)
        label = f'epoch {epoch}' if epoch is not None else Path(path).stem
        heads = _at_units(local_accuracy(model, test), units) if hasattr(
            model, 'local_logits') else {}
        measured.append(DepthAccuracy(label, heads, _probe(model, train, test) if train else {}))
        told(f'{label}: ' + ', '.join(
            f'{kind} {min(values.values()):.1f} to {max(values.values()):.1f} %'
            for kind, values in (('heads', heads), ('probes', measured[-1].probes)) if values))
    return DepthStudy(name, units, tuple(measured), count_images(test),
                      count_images(train) if train else 0)


def _at_units(accuracy: dict[str, float], units: Sequence[str]) -> dict[str, float]:
    """Assign the head's accuracy to the last unit."""
    return {units[-1] if name == 'head' else name: value for name, value in accuracy.items()}


def _probe(model: Any, train: Any, test: Any) -> dict[str, float]:
    fitted, asked = pooled_features(model, train), pooled_features(model, test)
    # Of a limited choice of training images, some classes may be missing.
    classes = int(max(fitted.labels.max(), asked.labels.max())) + 1
    return {name: fit_probe(features, fitted.labels, classes=classes)
            .accuracy(asked.values[name], asked.labels)
            for name, features in fitted.values.items()}


def by_epoch(checkpoints: Sequence[str]) -> list[str]:
    """Sort files by the numbers in their names, so that epoch 10 follows epoch 9."""
    return sorted(checkpoints, key=lambda path: [
        (part.isdigit(), int(part) if part.isdigit() else 0, part)
        for part in re.split(r'(\d+)', path)])
