"""Scores a run's predictions: ``python -m auglocal_mm.lab.transfer.score FOLDER …``."""
from __future__ import annotations

import argparse
import json
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from auglocal_mm.files import read_json, read_json_list, write_json

from .average_precision import average_precisions
from .error_types import error_types
from .truth import NAMES, found_in, truth_of


def scores_of(annotations: Mapping[str, Any], predictions: Mapping[str, Sequence[Any]],
              classes: Sequence[str]) -> dict[str, Any]:
    """Return the content of ``scores.json``.

    Args:
        annotations: COCO's JSON object.
        predictions: Kind (``bbox``, ``segm``) to COCO results.
        classes: Names of the classes that the detector knows.

    Returns:
        For each kind what :func:`~.average_precision.average_precisions` returns, with the
        number of objects of each class, and under ``errors`` what
        :func:`~.error_types.error_types` does.
    """
    truth = truth_of(annotations, classes)
    names = {each['id']: each['name'] for each in truth.dataset['categories']}
    objects = Counter(names[each['category_id']] for each in truth.dataset['annotations']
                      if not each['iscrowd'])
    scores = {}
    for kind, entries in predictions.items():
        found = found_in(truth, entries, kind)
        scores[kind] = {**average_precisions(truth, found, kind),
                        'errors': error_types(truth, found, kind)}
        for name, figures in scores[kind]['classes'].items():
            figures['objects'] = objects[name]
    return scores


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command line."""
    parser = argparse.ArgumentParser(description='Score predictions')
    parser.add_argument('folder', type=Path, help='folder of predictions.<kind>.json')
    parser.add_argument('--annotations', type=Path, required=True)
    parser.add_argument('--kinds', nargs='+', choices=tuple(NAMES), required=True)
    parser.add_argument('--classes', type=json.loads, required=True, help='a JSON list')
    options = parser.parse_args(arguments)
    predictions = {kind: read_json_list(options.folder / f'predictions.{kind}.json')
                   for kind in options.kinds}
    write_json(scores_of(read_json(options.annotations), predictions, options.classes),
               options.folder / 'scores.json')


if __name__ == '__main__':
    from auglocal_mm.console.tool import tool
    with tool(hosts=()):
        main()
