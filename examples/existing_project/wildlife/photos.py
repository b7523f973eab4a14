"""Photographs of animals, listed in a table."""
import csv
from pathlib import Path

from mmpretrain.datasets import BaseDataset
from mmpretrain.registry import DATASETS


@DATASETS.register_module()
class WildlifePhotos(BaseDataset):
    """Photographs and their species from ``<data_root>/<split>.csv`` (columns file, species)."""

    METAINFO = {'classes': ('deer', 'fox', 'owl')}

    def __init__(self, data_root: str, split: str = 'train', **kwargs) -> None:
        super().__init__(ann_file=f'{split}.csv', data_root=data_root, **kwargs)

    def load_data_list(self) -> list[dict]:
        """Read the table."""
        with open(self.ann_file, newline='', encoding='utf-8') as table:
            return [{'img_path': str(Path(self.data_root) / row['file']),
                     'gt_label': self.CLASSES.index(row['species'])}
                    for row in csv.DictReader(table)]
