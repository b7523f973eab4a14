"""The config files, and what the tests read from them."""
from __future__ import annotations

import ast
import re
from copy import deepcopy
from functools import cache
from pathlib import Path

from mmengine.config import Config

ROOT = Path(__file__).resolve().parent.parent
CONFIGS = ROOT / 'configs'
#: Folder of configs -> the rule it is for.
RULES = {'bp': 'Backprop', 'auglocal': 'AugLocal', 'dgl': 'DGL', 'predsim': 'PredSim',
         'infopro': 'InfoPro'}
CLASSIFIERS = sorted(path for folder in RULES for path in CONFIGS.glob(f'{folder}/*.py'))
#: Folder of detectors' configs -> how their names begin, and their class in mmdet.
DETECTOR_FOLDERS = {
    'faster_rcnn': ('faster-rcnn', 'FasterRCNN'), 'mask_rcnn': ('mask-rcnn', 'MaskRCNN'),
    'cascade_rcnn': ('cascade-mask-rcnn', 'CascadeRCNN'), 'retinanet': ('retinanet', 'RetinaNet'),
    'fcos': ('fcos', 'FCOS')}
DETECTORS = sorted(path for folder in DETECTOR_FOLDERS for path in CONFIGS.glob(f'{folder}/*.py'))
LOCAL_DETECTORS = [path for path in DETECTORS if '-local-k' in path.stem]
#: Those that inherit a config of mmdet's -> its name there.
MMDETS_OWN = {path: found[1] for path in LOCAL_DETECTORS
              if (found := re.search(r"^_base_ = '(mmdet::\S+)'$", path.read_text(encoding='utf-8'),
                                     flags=re.MULTILINE))}
#: Those whose training is mmpretrain's own, not the paper's.
HOSTS_OWN = [path for path in CLASSIFIERS if path.stem.startswith(('deit', 'convnext'))]


def parse(path: Path) -> Config:
    """A copy of the parsed config: building a model from it adds to its settings."""
    return deepcopy(_parsed(path))


@cache
def _parsed(path: Path) -> Config:
    return Config.fromfile(path)


def docstring(path: Path) -> str:
    return ast.get_docstring(ast.parse(path.read_text(encoding='utf-8'))) or ''


def relative(path: object) -> str | None:
    """The path below ``configs/``, as a test's name."""
    return str(path.relative_to(CONFIGS)) if isinstance(path, Path) else None


def net_of(path: Path) -> str:
    return path.stem.split('_')[0]


def dataset_of(path: Path) -> str:
    return path.stem.split('_')[1]
