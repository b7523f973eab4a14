"""Images in one folder per class, in place of data sets that hold arrays."""
from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from mmpretrain.datasets import BaseDataset
from PIL import Image

from auglocal_mm.registry import DATASETS
from auglocal_mm.validation import Faults, check_choice, check_int

from .errors import DataError
from .settings import IMAGE_KEYS, check_settings

#: Largest side that images are resized to; one decoded image then has 200 MB.
MAX_SIDE_PX = 8192
EXTENSIONS = frozenset({'.jpg', '.jpeg', '.png', '.bmp', '.ppm', '.pgm', '.tif', '.tiff', '.webp'})
#: Each split, and the folders that may hold it; the first that exists is used.
SPLIT_FOLDERS = {'train': ('train',), 'test': ('test', 'val'), 'val': ('val', 'test')}


def split_folder(root: str | Path, split: str) -> Path:
    """Return the folder of a split; ``test`` and ``val`` may replace each other.

    Raises:
        ValueError: The split is unknown.
        DataError: There is no such folder.
    """
    if split not in SPLIT_FOLDERS:
        raise ValueError(f'split must be one of {tuple(SPLIT_FOLDERS)}, got {split!r}')
    root = Path(root).expanduser()
    for name in SPLIT_FOLDERS[split]:
        if (root / name).is_dir():
            return root / name
    wanted = ' or '.join(str(root.absolute() / name) for name in SPLIT_FOLDERS[split])
    raise DataError(f'no folder {wanted}; images belong in {root}/{{train,test}}/<class>/*.jpg')


def class_names(root: str | Path, split: str) -> tuple[str, ...]:
    """Return the names of a split's class folders, sorted; their positions are the labels.

    Raises:
        DataError: There are none, or the other split has different ones.
    """
    folder = split_folder(root, split)
    names = _subfolders(folder)
    if not names:
        raise DataError(f'{folder.absolute()} holds no class folders; images belong in '
                        f'{folder}/<class>/*.jpg')
    other = _sibling(folder)
    if other is not None and (others := _subfolders(other)) != names:
        here, there = sorted(set(names) - set(others)), sorted(set(others) - set(names))
        raise DataError(f'{folder.absolute()} and {other.absolute()} must have the same class '
                        f'folders, because labels count them: only {folder.name} has '
                        f'{here or "none"}, only {other.name} has {there or "none"}')
    return names


def class_images(folder: Path) -> list[Path]:
    """Return the image files directly in a class's folder, sorted by name."""
    return sorted(path for path in folder.iterdir()
                  if path.suffix.lower() in EXTENSIONS and not path.name.startswith('.'))


def _subfolders(folder: Path) -> tuple[str, ...]:
    return tuple(sorted(path.name for path in folder.iterdir()
                        if path.is_dir() and not path.name.startswith('.')))


def _sibling(folder: Path) -> Path | None:
    """Return the folder of the other split, if there is one."""
    for name in SPLIT_FOLDERS['test'] if folder.name == 'train' else SPLIT_FOLDERS['train']:
        if (folder.parent / name).is_dir():
            return folder.parent / name
    return None


def read_image(path: str | Path, side_px: int | None = None) -> np.ndarray:
    """Decode an image file to RGB.

    Args:
        path: The file.
        side_px: Resize to this height and width, bilinearly.

    Returns:
        uint8 of shape (height, width, 3).

    Raises:
        DataError: The file is not an image, or is truncated.
    """
    try:
        with Image.open(path) as image:
            image = image.convert('RGB')
            if side_px is not None and image.size != (side_px, side_px):
                image = image.resize((side_px, side_px), Image.Resampling.BILINEAR)
            return np.array(image)
    # Pillow raises SyntaxError for some broken PNG files.
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError) as error:
        raise DataError(f'{Path(path).absolute()} cannot be decoded ({error}); replace or remove '
                        'it') from error


@DATASETS.register_module()
class ImageFolder(BaseDataset):
    """Image files as arrays, so that a folder can replace ``CIFAR10``.

    The folder holds ``train/<class>/*.jpg`` and ``test/<class>/*.jpg``; ``val`` may
    replace ``test``. A label is the position of its class folder in sorted order.
    Both splits must have the same class folders. Images lie directly in them.

    Each sample holds ``img``, a uint8 RGB array of shape (height, width, 3),
    ``gt_label``, and ``img_path``. Images are decoded once, when the data set is
    built, if their pixels fit into `memory_mb`; images of larger sets are decoded at
    each access.

    Args:
        data_root: The folder that holds the folders of the splits.
        split: ``'train'``, ``'test'`` or ``'val'``.
        images_per_class: Number of images of each class, the first by name; all by
            default.
        side_px: Resize every image to this height and width.
        memory_mb: Memory for decoded images, in MiB; 0 decodes at each access.
        metainfo: Meta information that overrides the class names.
        pipeline: Transforms of mmpretrain; an image needs no loading.
        test_mode: As in :class:`mmpretrain.datasets.BaseDataset`.
        **kwargs: Other arguments of :class:`mmpretrain.datasets.BaseDataset`.

    Raises:
        ValueError: A setting is out of bounds.
        DataError: The folder has another layout, a class has fewer than
            `images_per_class` images or none, or an image cannot be decoded.
    """

    def __init__(self, *, data_root: str, split: str = 'train',
                 images_per_class: int | None = None, side_px: int | None = None,
                 memory_mb: int = 1024, metainfo: dict[str, Any] | None = None,
                 pipeline: Sequence[Any] = (), test_mode: bool = False, **kwargs: Any) -> None:
        self.check({
            'data_root': data_root, 'split': split, 'images_per_class': images_per_class,
            'side_px': side_px, 'memory_mb': memory_mb, 'metainfo': metainfo,
            'pipeline': pipeline, 'test_mode': test_mode, **kwargs})
        self.split = split
        self.images_per_class = images_per_class
        self.side_px = side_px
        self.memory_mb = memory_mb
        self.folder = split_folder(data_root, split)
        self.class_folders = class_names(data_root, split)
        super().__init__(ann_file='', data_root=data_root, test_mode=test_mode, pipeline=pipeline,
                         metainfo={'classes': self.class_folders, **(metainfo or {})}, **kwargs)

    @classmethod
    def check(cls, settings: Mapping[str, Any]) -> None:
        """Check settings without looking at any file.

        Raises:
            ValueError: Settings are impossible; all faults are listed.
        """
        faults = Faults(cls.__name__)
        check_choice(faults, 'split', settings.get('split', 'train'), tuple(SPLIT_FOLDERS))
        for name, low, high in (('images_per_class', 1, 10**9), ('side_px', 1, MAX_SIDE_PX)):
            check_int(faults, name, settings.get(name), low, high, optional=True)
        check_int(faults, 'memory_mb', settings.get('memory_mb', 0), 0, 10**9)
        check_settings(faults, ('split', 'images_per_class', 'side_px', 'memory_mb', *IMAGE_KEYS),
                       settings, required=('data_root',))
        faults.raise_if_any()

    def load_data_list(self) -> list[dict[str, Any]]:
        """Return one ``dict(img_path=..., gt_label=...[, img=...])`` per image."""
        samples: list[dict[str, Any]] = [
            {'img_path': str(path), 'gt_label': label}
            for label, name in enumerate(self.class_folders)
            for path in self._chosen(self.folder / name)]
        images: list[np.ndarray] = []
        free_bytes = self.memory_mb * 2**20
        # How much they need is known only once they are decoded.
        for sample in samples:
            if free_bytes <= 0:
                break
            images.append(read_image(sample['img_path'], self.side_px))
            free_bytes -= images[-1].nbytes
        if free_bytes <= 0:
            return samples
        return [{**sample, 'img': image} for sample, image in zip(samples, images, strict=True)]

    def _chosen(self, folder: Path) -> list[Path]:
        paths = class_images(folder)
        if not paths:
            raise DataError(f'{folder.absolute()} holds no images; every class needs at least one')
        if self.images_per_class is not None and len(paths) < self.images_per_class:
            raise DataError(f'images_per_class={self.images_per_class}, but {folder.absolute()} '
                            f'holds {len(paths)} images; ask for fewer')
        return paths[:self.images_per_class]

    def get_data_info(self, idx: int) -> dict[str, Any]:
        """Return a sample with its decoded image."""
        sample = super().get_data_info(idx)
        if 'img' not in sample:
            sample['img'] = read_image(sample['img_path'], self.side_px)
        return sample

    def get_gt_labels(self) -> np.ndarray:
        """Return the labels of all samples, int64, without decoding images."""
        return np.array([super(ImageFolder, self).get_data_info(index)['gt_label']
                         for index in range(len(self))])

    def get_cat_ids(self, idx: int) -> list[int]:
        """Return a sample's label in a list, without decoding its image."""
        return [super().get_data_info(idx)['gt_label']]

    def extra_repr(self) -> list[str]:
        """Return the lines that ``repr`` adds to those of every data set."""
        lines = [f'Folder: \t{self.folder}']
        if self.images_per_class is not None:
            lines.append(f'Images per class: \t{self.images_per_class}')
        return lines
