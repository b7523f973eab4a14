"""Checks for the data that a config reads, and reports everything missing at once."""
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from auglocal_mm.config.walk import datasets_in

from .digits import Digits
from .image_folder import SPLIT_FOLDERS, ImageFolder
from .preparation import SOURCES, Source
from .preparation.folder import command
from .stl10 import STL10
from .svhn import SVHN

SPLITS = ('train', 'val', 'test')
#: Our data sets whose settings can be checked without their files.
CHECKED = {'Digits': Digits.check, 'ImageFolder': ImageFolder.check, 'SVHN': SVHN.check,
           'STL10': STL10.check}
_SCOPES = ('mmpretrain', 'mmdet', 'auglocal_mm')


@dataclass(frozen=True)
class MissingPath:
    """A path that does not exist.

    Attributes:
        path: The path that was checked.
        content: What belongs there.
        source: How to get it.
    """

    path: Path
    content: str
    source: str


class MissingDataError(FileNotFoundError):
    """Data that a config reads is missing.

    Args:
        missing: All missing paths.
    """

    def __init__(self, missing: Sequence[MissingPath]) -> None:
        self.missing = tuple(missing)
        count = len(self.missing)
        lines = ['data is missing: 1 path' if count == 1 else f'data is missing: {count} paths']
        for entry in self.missing:
            lines += [f'  {entry.path.absolute()}',
                      f'    what belongs there: {entry.content}',
                      f'    how to get it: {entry.source}']
        super().__init__('\n'.join(lines))


def check_data_settings(cfg: Mapping[str, Any], *, splits: Sequence[str] = SPLITS) -> None:
    """Check the settings of our own data sets before their files are looked for.

    Args:
        cfg: A parsed config.
        splits: Which dataloaders to check.

    Raises:
        ValueError: Settings are impossible; all of a data set's faults are listed.
    """
    for split in splits:
        for dataset in datasets_of(cfg, [split]):
            check = CHECKED.get(kind_of(dataset))
            if check is None:
                continue
            try:
                check({key: value for key, value in dataset.items()
                       if key not in ('type', '_scope_')})
            except ValueError as error:
                raise ValueError(f'{error} (in {split}_dataloader.dataset)') from error


def check_data(cfg: Mapping[str, Any], *, splits: Sequence[str] = SPLITS) -> None:
    """Check that the data sets of a config's dataloaders are in place.

    This covers mmpretrain's ``ImageNet``, ``CustomDataset``, ``CIFAR10`` and
    ``CIFAR100``, mmdet's ``CocoDataset`` and ours, also inside wrappers. It skips
    other data sets, data that a data set may download, and data outside the local
    file system. Only folder entries are read.

    Args:
        cfg: A parsed config.
        splits: Which of ``train_dataloader``, ``val_dataloader`` and
            ``test_dataloader`` to check.

    Raises:
        ValueError: A split is unknown.
        MissingDataError: Paths are missing; the error lists all of them.
    """
    missing: dict[Path, MissingPath] = {}
    for dataset in datasets_of(cfg, splits):
        for entry in _missing_of(dataset):
            # Splits often read the same folder.
            missing.setdefault(entry.path, entry)
    if missing:
        raise MissingDataError(list(missing.values()))


def datasets_of(cfg: Mapping[str, Any], splits: Sequence[str]) -> Iterator[Mapping[str, Any]]:
    """Yield the data sets of some dataloaders, without their wrappers."""
    unknown = sorted(set(splits) - set(SPLITS))
    if unknown:
        raise ValueError(f'splits must be among {SPLITS}, got {unknown}')
    for split in splits:
        loader = cfg.get(f'{split}_dataloader') or {}
        for _, dataset in datasets_in(loader.get('dataset'), f'{split}_dataloader.dataset'):
            yield dataset


def kind_of(dataset: Mapping[str, Any]) -> str:
    """Return the data set's type without its scope, or an empty string if unknown here."""
    kind = dataset.get('type', '')
    if isinstance(kind, type) or (callable(kind) and hasattr(kind, '__name__')):
        kind = f'{kind.__module__}.{kind.__name__}'
    elif not isinstance(kind, str):
        return ''
    # mmengine also takes whole paths, such as mmpretrain.datasets.CIFAR10.
    *path, name = kind.split('.')
    # Another project's class of the same name has other settings.
    return name if not path or path[0] in _SCOPES else ''


def _missing_of(dataset: Mapping[str, Any]) -> list[MissingPath]:
    find = _FINDERS.get(kind_of(dataset))
    return [] if find is None or is_remote(dataset) else find(dataset)


def is_remote(dataset: Mapping[str, Any]) -> bool:
    """Tell whether some of the data set is outside the local file system."""
    prefix = dataset.get('data_prefix')
    places = [dataset.get('data_root'), dataset.get('ann_file'),
              *(prefix.values() if isinstance(prefix, Mapping) else [prefix])]
    return bool(dataset.get('backend_args')) or any('://' in str(place) for place in places)


def _join(root: Any, path: Any) -> Path:
    """Join ``path`` to ``root`` as mmengine does: an absolute path stays."""
    return Path(root or '').expanduser() / Path(path or '').expanduser()


def _prefix(dataset: Mapping[str, Any], key: str) -> str:
    prefix = dataset.get('data_prefix') or ''
    return str(prefix.get(key) or '') if isinstance(prefix, Mapping) else str(prefix)


def _absent(path: Path, *, content: str, source: str) -> list[MissingPath]:
    """Report the path, unless it is a file or a non-empty folder."""
    present = any(path.iterdir()) if path.is_dir() else path.exists()
    return [] if present else [MissingPath(path, content, source)]


def _missing_imagenet(dataset: Mapping[str, Any]) -> list[MissingPath]:
    split = dataset.get('split') or ''
    # Without a prefix, mmpretrain takes the split's name.
    folder = _join(dataset.get('data_root'), _prefix(dataset, 'img_path') or split)
    source = ('register at https://image-net.org/download, get the ILSVRC2012 images of the '
              'classification task, unpack each class into a folder named by its WordNet id, '
              f'and link or set data_root: ln -s IMAGENET {folder.parent}; then check it with '
              f'tools/dataset_converters/prepare.py imagenet --root {folder.parent}')
    content = ('images without labels' if split == 'test' else
               'ImageNet (ILSVRC2012): 1,000 folders of images, such as n01440764/*.JPEG')
    return _absent(folder, content=content, source=source) + _missing_list(dataset, source)


def _missing_custom(dataset: Mapping[str, Any]) -> list[MissingPath]:
    folder = _join(dataset.get('data_root'), _prefix(dataset, 'img_path'))
    source = 'put the images there, or set data_root and data_prefix to where they are'
    content = ('the images that the annotation file lists' if dataset.get('ann_file')
               else 'images, in one folder per class')
    return _absent(folder, content=content, source=source) + _missing_list(dataset, source)


def _missing_list(dataset: Mapping[str, Any], source: str) -> list[MissingPath]:
    """Report the annotation file of an image folder, if the config names one."""
    if not dataset.get('ann_file'):
        return []
    return _absent(_join(dataset.get('data_root'), dataset['ann_file']),
                   content='a text file with an image and its class number per line', source=source)


def _missing_files(source: Source) -> Callable[[Mapping[str, Any]], list[MissingPath]]:
    """Find missing files of a downloadable data set, unless it may download them itself."""
    def find(dataset: Mapping[str, Any]) -> list[MissingPath]:
        if dataset.get('download', True):
            return []
        root = root_of(dataset)
        advice = f'{command(source, root)}, or leave out download=False'
        return [entry for file in source.files_of(_split(source, dataset))
                for entry in _absent(root / file.path, content=f'a file of {source.title}',
                                     source=advice)]
    return find


def root_of(dataset: Mapping[str, Any]) -> Path:
    """Return the folder of a data set that can be downloaded."""
    return _join(dataset.get('data_root'), _prefix(dataset, 'root'))


def _split(source: Source, dataset: Mapping[str, Any]) -> str | None:
    splits = {file.split for file in source.files}
    return dataset.get('split', 'train') if None not in splits else None


def _missing_image_folder(dataset: Mapping[str, Any]) -> list[MissingPath]:
    root, split = _join(dataset.get('data_root'), None), dataset.get('split', 'train')
    names = SPLIT_FOLDERS.get(split, (split,))
    if any((root / name).is_dir() for name in names):
        return []
    return [MissingPath(root / names[0], 'images, in one folder per class',
                        'put the images there, or give another folder by --image-folder')]


def _missing_coco(dataset: Mapping[str, Any]) -> list[MissingPath]:
    root = dataset.get('data_root')
    source = ('get the 2017 train images, val images and annotations from '
              'https://cocodataset.org/#download and unpack them '
              f'in {Path(root or ".").expanduser().absolute()}; then check them with '
              'tools/dataset_converters/prepare.py coco')
    annotations = _join(root, dataset.get('ann_file'))
    images = _join(root, _prefix(dataset, 'img'))
    return (_absent(annotations, content='annotations in COCO\'s JSON format', source=source)
            + _absent(images, content='the images that the annotations name', source=source))


_FINDERS: dict[str, Callable[[Mapping[str, Any]], list[MissingPath]]] = {
    'ImageNet': _missing_imagenet,
    'CustomDataset': _missing_custom,
    'CIFAR10': _missing_files(SOURCES['cifar10']),
    'CIFAR100': _missing_files(SOURCES['cifar100']),
    'SVHN': _missing_files(SOURCES['svhn']),
    'STL10': _missing_files(SOURCES['stl10']),
    'ImageFolder': _missing_image_folder,
    'CocoDataset': _missing_coco,
}
