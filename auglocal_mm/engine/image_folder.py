"""The option ``--image-folder``: a folder of images in place of a config's data set."""
from __future__ import annotations

from collections.abc import Iterator, Sequence

from mmengine.config import Config
from mmengine.registry import DATASETS, TRANSFORMS
from mmpretrain.datasets import CIFAR10, CIFAR100
from mmpretrain.datasets.transforms import RandomCrop

from auglocal_mm.config.named import class_of, means
from auglocal_mm.config.walk import datasets_in
from auglocal_mm.datasets import STL10, SVHN, Digits, ImageFolder
from auglocal_mm.datasets.errors import DataError
from auglocal_mm.datasets.image_folder import class_images, class_names, read_image, split_folder

#: Data sets whose samples hold an RGB array, so that no pipeline loads a file.
ARRAY_DATASETS = (CIFAR10, CIFAR100, SVHN, STL10, Digits, ImageFolder)
#: Their settings that say where their files are.
_PLACES = frozenset({'type', 'data_root', 'data_prefix', 'ann_file', 'download'})
SPLITS = ('train', 'val', 'test')


def use_image_folder(cfg: Config, path: str) -> None:
    """Make every dataloader of a config read ``PATH/{train,test}/<class>/*``.

    Pipelines, splits and everything else stay as they are.

    Raises:
        ValueError: It is a detection config, a data set holds no arrays, or the number
            of classes or the size of the images does not fit the config.
        DataError: The folder has another layout.
    """
    if cfg.get('default_scope') != 'mmpretrain':
        raise ValueError('--image-folder is for classification configs; this one has '
                         f'default_scope={cfg.get("default_scope")!r}')
    for name in SPLITS:
        for key, dataset in _datasets(cfg, name):
            kind = dataset.get('type')
            if not means(kind, ARRAY_DATASETS, DATASETS, scope='mmpretrain'):
                names = ', '.join(sorted(each.__name__ for each in ARRAY_DATASETS))
                raise ValueError(
                    f'--image-folder replaces data sets that hold arrays ({names}), but '
                    f'{key}.type is {getattr(kind, "__name__", kind)!r}, whose '
                    f'pipeline loads files; set {key}.data_root by --cfg-options instead')
            _replace(dataset, path)
            _check_classes(cfg, path, dataset)
            _check_size(cfg, path, dataset)


def _datasets(cfg: Config, split: str) -> Iterator[tuple[str, dict]]:
    loader = cfg.get(f'{split}_dataloader')
    if isinstance(loader, dict):
        yield from datasets_in(loader.get('dataset'), f'{split}_dataloader.dataset')


def _replace(dataset: dict, path: str) -> None:
    for name in _PLACES & dataset.keys():
        del dataset[name]
    dataset['type'] = 'auglocal_mm.ImageFolder'
    dataset['data_root'] = str(path)


def _check_classes(cfg: Config, path: str, dataset: dict) -> None:
    names = class_names(path, dataset.get('split', 'train'))
    expected = (cfg.model.get('head') or {}).get('num_classes')
    if expected is None or expected == len(names):
        return
    options = [f'model.head.num_classes={len(names)}']
    if 'num_classes' in (cfg.get('data_preprocessor') or {}):
        options.append(f'data_preprocessor.num_classes={len(names)}')
    raise ValueError(
        f'{split_folder(path, dataset.get("split", "train"))} has {len(names)} classes, but the '
        f'model\'s head has {expected}: --cfg-options {" ".join(options)}')


def _check_size(cfg: Config, path: str, dataset: dict) -> None:
    """Compare the first image with the pipelines' crop before anything is built."""
    pipelines = [each.get('pipeline') or () for name in SPLITS
                 for _, each in _datasets(cfg, name)]
    crop = next((crop for crop in map(_crop_of, pipelines) if crop), None)
    if crop is None or dataset.get('side_px') is not None or _resizes(dataset.get('pipeline')):
        return
    split = dataset.get('split', 'train')
    first = split_folder(path, split) / class_names(path, split)[0]
    images = class_images(first)
    if not images:
        raise DataError(f'{first.absolute()} holds no images; every class needs at least one')
    found = read_image(images[0]).shape[:2]
    if found != crop:
        options = ' '.join(f'{name}_dataloader.dataset.side_px={crop[0]}' for name in SPLITS
                           if cfg.get(f'{name}_dataloader'))
        raise ValueError(
            f'{images[0].absolute()} is {found[0]}x{found[1]} pixels, but the pipeline crops '
            f'{crop[0]}x{crop[1]}: resize images by --cfg-options {options}, or write a config '
            'with another crop_size')


def _crop_of(pipeline: Sequence[dict]) -> tuple[int, int] | None:
    """Return the height and width that a pipeline crops from unresized images."""
    if _resizes(pipeline):
        return None
    for step in pipeline:
        if means(step.get('type'), RandomCrop, TRANSFORMS, scope='mmpretrain'):
            size = step['crop_size']
            return (size, size) if isinstance(size, int) else (size[0], size[1])
    return None


def _resizes(pipeline: Sequence[dict] | None) -> bool:
    # OpenMMLab and torchvision have a dozen transforms that resize, without a common base.
    kinds = [class_of(step.get('type'), TRANSFORMS, scope='mmpretrain') for step in pipeline or ()]
    return any('Resize' in getattr(kind, '__name__', '') for kind in kinds)
