"""Checks a user's own copy of COCO 2017: is it complete, and can its images be opened?"""
from __future__ import annotations

import json
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from auglocal_mm.datasets.errors import DataError

from .imagenet import first_unreadable
from .report import DAMAGED, MISSING, PRESENT, Finding, Report

_SERVER = 'http://images.cocodataset.org'
_ADVICE = (
    f'unpack {_SERVER}/zips/train2017.zip (18 GB), {_SERVER}/zips/val2017.zip (1 GB) and '
    f'{_SERVER}/annotations/annotations_trainval2017.zip (0.3 GB) in {{folder}}, or link a copy '
    'that you have: ln -s COCO {folder}')


@dataclass(frozen=True)
class CocoCounts:
    """The expected amounts.

    Attributes:
        images: Images of each split, in the folder and in the annotations.
        opened: Images that are opened in each split, evenly spread.
    """

    images: tuple[tuple[str, int], ...] = (('train2017', 118_287), ('val2017', 5_000))
    opened: int = 20


def check_coco(root: str | os.PathLike[str], counts: CocoCounts | None = None) -> Report:
    """Read the annotations, check for every image that they name, and open some.

    Raises:
        DataError: A folder cannot be read.
    """
    folder = Path(root).expanduser()
    counts = counts or CocoCounts()
    findings: list[Finding] = []
    for split, expected in counts.images:
        annotations = f'annotations/instances_{split}.json'
        state, names = _read(folder / annotations, expected)
        findings.append(Finding(annotations, *state))
        findings.append(_look_at(folder / split, names, expected, counts.opened))
    return Report('COCO 2017', folder, tuple(findings), _ADVICE.format(folder=folder.absolute()))


def _read(path: Path, expected: int) -> tuple[tuple[str, str], list[str] | None]:
    """Return the state of an annotation file, and the images that it names."""
    if not path.is_file():
        return (MISSING, ''), None
    try:
        coco: dict[str, Any] = json.loads(path.read_bytes())
        names = sorted(image['file_name'] for image in coco['images'])
        boxes, categories = len(coco['annotations']), len(coco['categories'])
    except OSError as error:
        raise DataError(f'cannot read {path.absolute()}: {error.strerror or error}') from error
    except (ValueError, KeyError, TypeError):
        return (DAMAGED, 'is not in COCO\'s JSON format, or is truncated'), None
    if len(names) != expected:
        return (DAMAGED, f'names {len(names):,} images, expected {expected:,}'), names
    return (PRESENT, f'{boxes:,} objects of {categories} categories in {len(names):,} '
                     'images'), names


def _look_at(folder: Path, names: list[str] | None, expected: int, opened: int) -> Finding:
    """Return the state of a folder of images."""
    if not folder.is_dir():
        return Finding(folder.name, MISSING)
    try:
        # Sorted, because the images to open are chosen by their places.
        files = sorted(entry.name for entry in os.scandir(folder) if entry.name.endswith('.jpg'))
    except OSError as error:
        raise DataError(f'cannot read {folder.absolute()}: {error.strerror or error}') from error
    if len(files) != expected:
        return Finding(folder.name, DAMAGED, f'{len(files):,} images, expected {expected:,}')
    absent = sorted(set(names or ()) - set(files))
    if absent:
        return Finding(folder.name, DAMAGED, f'{len(absent):,} images that the annotations name '
                       f'are missing, the first is {absent[0]}')
    fault = first_unreadable(folder, files, opened)
    return Finding(folder.name, DAMAGED, fault) if fault else Finding(
        folder.name, PRESENT, f'{len(files):,} images, {min(opened, len(files))} of them opened')
