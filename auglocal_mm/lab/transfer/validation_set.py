"""The validation set that detectors are compared on: its annotations, classes and images."""
from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mmengine.registry import DATASETS, METRICS, DefaultScope

from auglocal_mm.config.named import class_of
from auglocal_mm.datasets.check import check_data
from auglocal_mm.files import read_json
from auglocal_mm.validation import shown

from .detector import Detector, require_classes
from .truth import NAMES, quiet

#: Images of which a report shows what each detector finds.
IMAGES_SHOWN = 6
#: What mmdet's CocoMetric reads of every annotation.
_REQUIRED = ('image_id', 'category_id', 'bbox', 'area', 'iscrowd')


@dataclass(frozen=True)
class ValidationSet:
    """A validation set in COCO's format.

    Attributes:
        annotations: Its JSON file.
        classes: Names of the classes that detectors know.
        kinds: What is compared: ``bbox``, ``segm`` or both.
        images: Number and path of the images that a report shows.
        count: Number of its images.
        objects: Number of its objects, crowds left out.
    """

    annotations: Path
    classes: tuple[str, ...]
    kinds: tuple[str, ...]
    images: tuple[tuple[int, str], ...]
    count: int
    objects: int


def read_validation_set(detector: Detector) -> ValidationSet:
    """Read a config's validation set, and check that a detector can be judged on it.

    Raises:
        MissingDataError: Data is missing; the error says what, where and how to get it.
        ValueError: The config does not evaluate as COCO does, or classes or masks are missing.
    """
    cfg = detector.cfg
    check_data(cfg, splits=('train', 'val'))
    _, metric = coco_metric(cfg)
    kinds = _kinds(metric)
    with quiet(), DefaultScope.overwrite_default_scope(cfg.get('default_scope')):
        dataset = DATASETS.build(cfg.val_dataloader.dataset)
    classes = tuple(dataset.metainfo['classes'])
    file = metric.get('ann_file') or getattr(dataset, 'ann_file', None)
    if not file:
        raise ValueError('val_evaluator.ann_file must name the annotations of the validation '
                         'data, got None')
    content = read_json(file)
    counted = _counted(content, classes, file)
    require_classes(detector, classes)
    if 'segm' in kinds:
        _require_masks(counted, file)
    return ValidationSet(Path(file), classes, kinds, _shown(dataset, counted),
                         len(content['images']), len(counted))


def coco_metric(cfg: Mapping[str, Any]) -> tuple[str, Mapping[str, Any]]:
    """Return the evaluator of COCO's kind, with its dotted key.

    Raises:
        ValueError: There is none.
    """
    from mmdet.evaluation.metrics import CocoMetric, LVISMetric

    named = cfg.get('val_evaluator')
    several = isinstance(named, (list, tuple))
    evaluators: Sequence[Any] = named if isinstance(named, (list, tuple)) else [named]
    for index, each in enumerate(evaluators):
        if not isinstance(each, Mapping):
            continue
        kind = class_of(each.get('type'), METRICS, scope=cfg.get('default_scope'))
        # LVIS does not annotate every class in every image, so COCO's AP means nothing there.
        if isinstance(kind, type) and issubclass(kind, CocoMetric) and not issubclass(
                kind, LVISMetric):
            return f'val_evaluator.{index}' if several else 'val_evaluator', each
    found = [each.get('type') for each in evaluators if isinstance(each, Mapping)]
    raise ValueError(f'val_evaluator must be a CocoMetric, got {shown(found or None)}; detectors '
                     'are compared by AP on a data set in COCO\'s format')


def _kinds(metric: Mapping[str, Any]) -> tuple[str, ...]:
    named = metric.get('metric', 'bbox')
    kinds = tuple(kind for kind in NAMES if kind in ([named] if isinstance(named, str) else named))
    if not kinds:
        raise ValueError(f'val_evaluator.metric must contain bbox or segm, got {shown(named)}')
    return kinds


def _counted(content: Mapping[str, Any], classes: Sequence[str], file: str | Path,
             ) -> list[Mapping[str, Any]]:
    """Return the annotations that count: no crowds, of the classes that detectors know."""
    wrong = [key for key in ('images', 'annotations', 'categories')
             if not isinstance(content.get(key), list)]
    if wrong:
        raise ValueError(f'{file} must be annotations in COCO\'s format, but has no list of '
                         f'{", ".join(wrong)}')
    lacking = [(number, key) for number, each in enumerate(content['annotations'])
               for key in _REQUIRED if key not in each]
    if lacking:
        raise ValueError(f'annotation {lacking[0][0]} in {file} has no {lacking[0][1]}, which is '
                         f'needed to evaluate; every one must have {", ".join(_REQUIRED)}')
    names = {each['id']: each['name'] for each in content['categories']}
    missing = [name for name in classes if name not in names.values()]
    if missing:
        raise ValueError(f'{len(missing)} of the {len(classes)} classes of the validation data are '
                         f'no categories of {file}: {", ".join(map(repr, missing[:5]))}; set '
                         'metainfo.classes of every data set to names from there, such as '
                         f'{", ".join(map(repr, list(names.values())[:5]))}')
    return [each for each in content['annotations'] if not each.get('iscrowd')
            and names.get(each['category_id']) in set(classes)]


def _require_masks(counted: Sequence[Mapping[str, Any]], file: str | Path) -> None:
    without = sum(not each.get('segmentation') for each in counted)
    if without:
        raise ValueError(f'val_evaluator.metric asks for segm, but {without} of {len(counted)} '
                         f'objects in {file} have no mask; set val_evaluator.metric=bbox')


def _shown(dataset: Any, counted: Sequence[Mapping[str, Any]]) -> tuple[tuple[int, str], ...]:
    """Return the first images with objects, in the order of the data set."""
    populated = {each['image_id'] for each in counted}
    found: list[tuple[int, str]] = []
    for index in range(len(dataset)):
        info = dataset.get_data_info(index)
        if info['img_id'] in populated:
            found.append((info['img_id'], str(info['img_path'])))
        if len(found) == IMAGES_SHOWN:
            break
    return tuple(found)
