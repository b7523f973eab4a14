"""Checks a user's own copy of ImageNet: is it complete, and can its images be opened?"""
from __future__ import annotations

import os
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from auglocal_mm.datasets.errors import DataError
from auglocal_mm.datasets.image_folder import read_image

from .report import DAMAGED, MISSING, PRESENT, Finding, Report

_CLASS = re.compile(r'n\d{8}')
_ADVICE = (
    'register at https://image-net.org/download and get ILSVRC2012_img_train.tar (138 GB; unpack '
    'it, then each n*.tar inside into a folder of its name: {folder}/train/n01440764/*.JPEG) and '
    'ILSVRC2012_img_val.tar (6 GB; move each image into the folder of its class: '
    '{folder}/val/n01440764/*.JPEG), or link a copy that you have: ln -s IMAGENET {folder}')


@dataclass(frozen=True)
class ImageNetCounts:
    """The expected amounts.

    Attributes:
        classes: Class folders in each split.
        images: Images of each split.
        opened: Images that are opened in each split, evenly spread.
    """

    classes: int = 1000
    images: tuple[tuple[str, int], ...] = (('train', 1_281_167), ('val', 50_000))
    opened: int = 20


def check_imagenet(root: str | os.PathLike[str], counts: ImageNetCounts | None = None) -> Report:
    """Count the class folders and the images of both splits, and open some images.

    Raises:
        DataError: A folder cannot be read.
    """
    folder = Path(root).expanduser()
    counts = counts or ImageNetCounts()
    findings = tuple(_look_at(folder / split, expected, counts)
                     for split, expected in counts.images)
    return Report('ImageNet (ILSVRC2012)', folder, findings,
                  _ADVICE.format(folder=folder.absolute()))


def _look_at(folder: Path, expected: int, counts: ImageNetCounts) -> Finding:
    if not folder.is_dir():
        return Finding(folder.name, MISSING)
    entries = _list(folder)
    classes = [name for name in entries if _CLASS.fullmatch(name) and (folder / name).is_dir()]
    # The official archive of validation images unpacks like this.
    if not classes and sum(name.endswith('.JPEG') for name in entries):
        return Finding(folder.name, DAMAGED, 'images are not sorted into class folders; move '
                       'each into the folder of its class')
    images = [os.path.join(name, file) for name in classes
              for file in _list(folder / name) if file.upper().endswith('.JPEG')]
    if len(classes) != counts.classes or len(images) != expected:
        return Finding(folder.name, DAMAGED,
                       f'{len(classes):,} class folders with {len(images):,} images, expected '
                       f'{counts.classes:,} with {expected:,}')
    fault = first_unreadable(folder, images, counts.opened)
    return Finding(folder.name, DAMAGED, fault) if fault else Finding(
        folder.name, PRESENT, f'{len(classes):,} class folders with {len(images):,} images, '
        f'{min(counts.opened, len(images))} of them opened')


def _list(folder: Path) -> list[str]:
    try:
        return sorted(entry.name for entry in os.scandir(folder))
    except OSError as error:
        raise DataError(f'cannot read {folder.absolute()}: {error.strerror or error}') from error


def evenly(items: Sequence[str], count: int) -> list[str]:
    """Select at most `count` items, evenly spread, including the first and the last."""
    if len(items) <= count:
        return list(items)
    return [items[round(index * (len(items) - 1) / max(count - 1, 1))] for index in range(count)]


def first_unreadable(folder: Path, images: Sequence[str], count: int) -> str | None:
    """Describe the fault of the first of `count` images that cannot be decoded."""
    for name in evenly(images, count):
        try:
            read_image(folder / name)
        except DataError as error:
            return str(error)
    return None
