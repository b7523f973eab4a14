"""Accuracy by depth: every auxiliary network of a model, evaluated on a test set.

``python -m auglocal_mm.lab.depth.local_accuracy CONFIG CHECKPOINT`` prints a
table; ``--out`` writes it, with the local plan, as JSON.
"""
import argparse
import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from auglocal_mm.files import write_text
from auglocal_mm.lab.pages.text_table import plain_table


def local_accuracy(model: nn.Module, loader: Iterable[Any]) -> dict[str, float]:
    """Measure the top-1 accuracy of every local module's classifier.

    The model is put into eval mode and stays in it.

    Args:
        model: Has ``data_preprocessor`` and ``local_logits(inputs)``, which
            yields a unit's name and logits [B×C] for each local module in depth
            order, as :class:`auglocal_mm.LocalImageClassifier` does.
        loader: Batches as an mmpretrain data loader yields them.

    Returns:
        Unit name to percent, in depth order; the last is the head.

    Raises:
        TypeError: The model has no ``local_logits``.
        ValueError: The loader yielded no sample.
    """
    if not hasattr(model, 'local_logits'):
        raise TypeError(
            f'model must have local_logits, got {type(model).__name__}: use a config whose '
            'model.type is auglocal_mm.LocalImageClassifier'
        )
    model.eval()
    correct: dict[str, int] = {}
    samples = 0
    with torch.no_grad():
        for batch in loader:
            # `False`: as in testing, where no images are mixed.
            data = model.data_preprocessor(batch, False)  # type: ignore[operator]
            labels = _labels(data['data_samples'])
            samples += len(labels)
            for name, logits in model.local_logits(data['inputs']):  # type: ignore[operator]
                hits = int((logits.argmax(dim=1) == labels.to(logits.device)).sum())
                correct[name] = correct.get(name, 0) + hits
    if samples == 0:
        raise ValueError('loader must yield at least 1 sample, got 0: check the data set')
    return {name: 100 * hits / samples for name, hits in correct.items()}


def _labels(data_samples: Iterable[Any]) -> Tensor:
    return torch.cat([sample.gt_label.reshape(1) for sample in data_samples])


def measure_checkpoint(config: Any, checkpoint: str | Path) -> dict[str, Any]:
    """Measure the local accuracy of a trained model on its config's test set.

    Returns:
        ``accuracy`` (see :func:`local_accuracy`), ``samples`` and ``plan``.
    """
    from auglocal_mm.lab.measure.trained_model import (
        build_classifier,
        count_images,
        images_of,
        load_weights,
    )

    model = build_classifier(config)
    load_weights(model, checkpoint)
    loader = images_of(config, 'test')
    return {
        'accuracy': local_accuracy(model, loader),
        'samples': count_images(loader),
        'plan': model.plan.to_dict(),
    }


def accuracy_rows(accuracy: Mapping[str, float]) -> list[tuple[str, str]]:
    """Return units and their accuracies in percent as rows of a table."""
    return [(name, f'{percent:.2f} %') for name, percent in accuracy.items()]


def main(arguments: list[str] | None = None) -> None:
    """Run the command line: measure a checkpoint, print a table, optionally write JSON."""
    from mmengine.config import Config

    parser = argparse.ArgumentParser(description='Accuracy of every auxiliary network')
    parser.add_argument('config', help='classification config of a local rule')
    parser.add_argument('checkpoint', help='checkpoint that was trained with it')
    parser.add_argument('--out', help='JSON file to write')
    options = parser.parse_args(arguments)
    measured = measure_checkpoint(Config.fromfile(options.config), options.checkpoint)
    print(plain_table(accuracy_rows(measured['accuracy']), right=(1,)))
    if options.out:
        write_text(json.dumps(measured, indent=1) + '\n', options.out)


if __name__ == '__main__':
    main()
