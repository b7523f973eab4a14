"""A family's detector, small and with fresh weights."""
from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import torch
from mmengine.config import Config
from mmengine.registry import init_default_scope
from torch import nn

from auglocal_mm.config.walk import dicts_in

from .contents import Contents
from .family import Family
from .shrink import shrink


def configs_folder() -> Path:
    """Return mmdet's folder of configs.

    Raises:
        FileNotFoundError: mmdet is not installed, or without its configs.
    """
    spec = find_spec('mmdet')
    if spec is None or spec.origin is None:
        raise FileNotFoundError('mmdet is not installed; run: pip install ".[onedl]"')
    package = Path(spec.origin).parent
    for folder in (package / '.mim' / 'configs', package.parent / 'configs'):
        if folder.is_dir():
            return folder
    raise FileNotFoundError(f'mmdet has no configs in {package / ".mim"}; install it again')


@dataclass(frozen=True)
class Subject:
    """What a trial needs of a config.

    Attributes:
        model: The shrunk model.
        contents: The data that it trains on.
    """

    model: dict[str, Any]
    contents: Contents


def read_subject(family: Family) -> Subject:
    """Read a family's config.

    Raises:
        FileNotFoundError: This mmdet has no such config.
    """
    folder = configs_folder()
    cfg = Config.fromfile(folder / family.config)
    cfg.merge_from_dict(dict(family.changes))
    init_default_scope(cfg.get('default_scope', 'mmdet'))
    model = cfg.model.to_dict()
    if family.teacher:
        # The path is relative to a clone of mmdet.
        teacher = Config.fromfile(folder.parent / model['teacher_config'])
        model['teacher_config'] = {'model': teacher.model.to_dict()}
    data = cfg.to_dict()
    classes = [*_values(model, 'num_classes'), *_values(model, 'num_things_classes')]
    return Subject(shrink(model), Contents(
        # Labels that each of its heads knows.
        side=family.image, classes=min(classes, default=1),
        masks=any(_values(data, 'with_mask')) or 'LoadPanopticAnnotations' in str(data),
        proposals='roi_head' in model and 'rpn_head' not in model, semantics=family.semantics))


def _values(node: Any, wanted: str) -> Iterator[int]:
    """Yield every number or truth value of this name, at any depth."""
    for _, part in dicts_in(node):
        if isinstance(part.get(wanted), int):
            yield part[wanted]


def built(model: dict[str, Any], *, seed: int) -> nn.Module:
    """Build a detector with fresh weights; offsets of deformable operators are not zero.

    Offsets start at zero by design, so that a deformable convolution would sample whole
    pixels only and a test of it would test little.
    """
    from mmdet.registry import MODELS
    from mmengine.config import ConfigDict

    torch.manual_seed(seed)
    detector = MODELS.build(ConfigDict(model))
    detector.init_weights()
    with torch.no_grad():
        for name, weight in detector.named_parameters():
            if 'offset' in name and not weight.any():
                weight.normal_(std=0.01)
    return detector
