"""Digit scenes: a small COCO-style detection set, generated from real images.

Scikit-learn's handwritten digits are placed at random sizes and positions on crops of
its two sample photographs. Training and validation scenes share neither a digit nor a
part of a photograph.
"""
import json
import os
import shutil
import uuid
from pathlib import Path
from typing import Any

import numpy as np

from auglocal_mm.registry import DATASETS
from auglocal_mm.validation import Faults, check_keys, is_int, is_one_of, shown

from .coco_json import to_coco
from .digit_images import DIGIT_CLASSES, import_sklearn_datasets, load_digit_images
from .scene_drawing import MAX_SIDE_PX, draw_scene
from .settings import SCENE_KEYS, check_settings

#: Incremented whenever the same parameters would draw other scenes.
VERSION = 1
STAMP = 'digit_scenes.json'

#: Each part of the scenes, and the split of the digits that it shows.
_PARTS = (('train', 'train'), ('val', 'test'))
#: Training scenes show the photographs' columns left of this one, validation
#: scenes the others.
_PHOTOGRAPH_SPLIT_PX = 448
_MAX_SCENES = 100_000
#: Both photographs are 640 pixels wide.
_MAX_SCENE_SIDE_PX = 640 - _PHOTOGRAPH_SPLIT_PX


class DigitScenesError(RuntimeError):
    """The folder for digit scenes exists but holds something else."""


def ensure_digit_scenes(root: str | os.PathLike[str], *, train: int = 1200, val: int = 150,
                        side_px: int = 128, seed: int = 0) -> Path:
    """Make the digit scenes unless the folder already holds them.

    The folder appears complete or not at all, even if several processes request it at
    once. An existing folder is never changed::

        root/annotations/instances_{train,val}.json
        root/{train,val}/000001.png …
        root/digit_scenes.json        version and parameters

    Args:
        root: The folder to make.
        train: Number of training scenes.
        val: Number of validation scenes.
        side_px: Side of the square scenes, 64 to 192.
        seed: Chooses the scenes; the same seed gives the same scenes.

    Returns:
        The folder's path.

    Raises:
        ValueError: A parameter is out of bounds.
        DigitScenesError: The folder exists, but holds other or incomplete scenes or
            anything else.
        ModuleNotFoundError: Scikit-learn or Pillow is missing.
    """
    stamp = _make_stamp(train=train, val=val, side_px=side_px, seed=seed)
    root = Path(root)
    if _is_complete(root, stamp):
        return root
    root.parent.mkdir(parents=True, exist_ok=True)
    unfinished = root.parent / f'.{root.name}.unfinished-{uuid.uuid4().hex}'
    unfinished.mkdir()
    try:
        for part, split in _PARTS:
            _write_part(unfinished, part=part, split=split, stamp=stamp)
        (unfinished / STAMP).write_text(json.dumps(stamp, indent=1) + '\n', encoding='utf-8')
        try:
            unfinished.rename(root)
        except OSError:
            # Another process may have been first; anything else is an error.
            if not _is_complete(root, stamp):
                raise
    finally:
        shutil.rmtree(unfinished, ignore_errors=True)
    return root


def _make_stamp(*, train: int, val: int, side_px: int, seed: int) -> dict[str, Any]:
    for name, count in (('train', train), ('val', val)):
        if not is_int(count) or not 1 <= count <= _MAX_SCENES:
            bound = (f'at most {_MAX_SCENES:,} scenes' if is_int(count) and count > 1
                     else 'at least 1 scene')
            raise ValueError(f'{name} must be {bound}, got {shown(count)}')
    if not is_int(side_px) or not 64 <= side_px <= _MAX_SCENE_SIDE_PX:
        raise ValueError(
            f'side_px must be 64 to {_MAX_SCENE_SIDE_PX}, got {shown(side_px)}: a scene holds '
            f'digits of up to {MAX_SIDE_PX} px and is cut from one part of a photograph')
    if not is_int(seed) or not 0 <= seed < 2**31:
        raise ValueError(f'seed must be 0 to 2**31 - 1, got {shown(seed)}')
    return dict(version=VERSION, train=train, val=val, side_px=side_px, seed=seed)


def _is_complete(root: Path, stamp: dict[str, Any]) -> bool:
    """Tell whether the folder holds the scenes; raise if it holds anything else."""
    # An empty folder is as good as none, since a rename replaces it.
    if not root.exists() or (root.is_dir() and not any(root.iterdir())):
        return False
    advice = 'Remove the folder, or choose another one.'
    try:
        found = json.loads((root / STAMP).read_text(encoding='utf-8'))
    except (OSError, ValueError):
        raise DigitScenesError(
            f'{root} exists, but has no readable {STAMP}, so it was not made for digit scenes. '
            'Choose another folder.') from None
    if found != stamp:
        raise DigitScenesError(f'{root} holds digit scenes made with {found}, '
                               f'but {stamp} was requested. {advice}')
    for part, _ in _PARTS:
        count = len(list((root / part).glob('*.png')))
        if count != stamp[part] or not _annotation_file(root, part).is_file():
            raise DigitScenesError(f'{root} is incomplete: {part} has {count} of {stamp[part]} '
                                   f'images, or {_annotation_file(root, part)} is missing. '
                                   f'{advice}')
    return True


def _annotation_file(root: Path, part: str) -> Path:
    return root / 'annotations' / f'instances_{part}.json'


def _write_part(root: Path, *, part: str, split: str, stamp: dict[str, Any]) -> None:
    """Draw and write the scenes of one part, then their annotations."""
    from PIL import Image
    digits, labels = load_digit_images(split)
    columns = slice(None, _PHOTOGRAPH_SPLIT_PX) if part == 'train' \
        else slice(_PHOTOGRAPH_SPLIT_PX, None)
    photographs = import_sklearn_datasets().load_sample_images().images
    backgrounds = [photograph[:, columns] for photograph in photographs]
    # RandomState's stream is frozen: every version of NumPy draws the same numbers.
    random = np.random.RandomState([stamp['seed'], VERSION, part == 'val'])
    (root / part).mkdir()
    scenes, names = [], []
    for number in range(1, stamp[part] + 1):
        image, instances = draw_scene(random, backgrounds=backgrounds, digits=digits,
                                      labels=labels, side_px=stamp['side_px'])
        names.append(f'{number:06}.png')
        scenes.append(instances)
        Image.fromarray(image).save(root / part / names[-1])
    path = _annotation_file(root, part)
    path.parent.mkdir(exist_ok=True)
    coco = to_coco(scenes, file_names=names, classes=DIGIT_CLASSES, side_px=stamp['side_px'])
    # In place, because the folder gets its name only when all of it is written.
    path.write_text(json.dumps(coco, separators=(',', ':')), encoding='utf-8')


def digit_scenes_dataset(*, data_root: str, part: str, scenes: dict[str, int] | None = None,
                         **kwargs: Any) -> Any:
    """Build mmdet's ``CocoDataset`` on the digit scenes, making them first if needed.

    This is a function so that mmdet is imported only where scenes are read.

    Args:
        data_root: The scenes' folder.
        part: ``'train'`` or ``'val'``.
        scenes: Parameters of :func:`ensure_digit_scenes`.
        **kwargs: Other arguments of :class:`mmdet.datasets.CocoDataset`.

    Raises:
        ValueError: The part is unknown.
    """
    if not is_one_of(part, ('train', 'val')):
        raise ValueError(f"part must be 'train' or 'val', got {shown(part)}")
    faults = Faults('DigitScenes')
    check_settings(faults, SCENE_KEYS, {'data_root': data_root, **kwargs})
    parameters: Any = scenes or {}
    faults.add_unless(isinstance(parameters, dict),
                      f'scenes must be None or a dict, got {shown(scenes)}')
    check_keys(faults, parameters if isinstance(parameters, dict) else {},
               ('train', 'val', 'side_px', 'seed'), place='scenes')
    faults.raise_if_any()
    from mmdet.datasets import CocoDataset
    root = ensure_digit_scenes(data_root, **parameters)
    return CocoDataset(ann_file=f'annotations/instances_{part}.json', data_root=str(root),
                       data_prefix=dict(img=f'{part}/'), metainfo=dict(classes=DIGIT_CLASSES),
                       **kwargs)


# No decorator: mmengine's has no types, and would hide this function's from type checkers.
DATASETS.register_module(name='DigitScenes', module=digit_scenes_dataset)
