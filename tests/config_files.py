"""The config files, and what the tests read from them."""
from __future__ import annotations

import ast
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
DETECTORS = sorted(CONFIGS.glob('mask_rcnn/*.py'))
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
