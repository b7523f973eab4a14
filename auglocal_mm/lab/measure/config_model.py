"""A config's model, plan and image size, without training anything."""
from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from mmengine.config import Config
from mmengine.registry import MODELS, DefaultScope

from auglocal_mm.config.named import means
from auglocal_mm.config.walk import dicts_in
from auglocal_mm.engine.launch import load_config
from auglocal_mm.models import LocalTraining
from auglocal_mm.plan import LocalPlan

#: Transforms of mmcv that take a size as (width, height); all others take (height, width).
WIDTH_FIRST = ('CenterCrop', 'Resize')


def plan_of_config(path: str, cfg_options: dict | None = None) -> LocalPlan:
    """Build a config's model and return its plan.

    Raises:
        FileNotFoundError: There is no such config.
        ValueError: The config's model is not trained locally.
    """
    cfg = load_config(path, cfg_options=cfg_options)
    require_local(cfg, path)
    return build_model(cfg, path).plan


def build_model(cfg: Config, path: str) -> Any:
    """Build the model of the config read from `path`, with fresh weights.

    Raises:
        ValueError: The config holds no model.
    """
    if cfg.get('model') is None:
        raise ValueError(f'{path} holds no model; give a whole config, not a fragment of one')
    with DefaultScope.overwrite_default_scope(cfg.get('default_scope', 'mmpretrain')):
        return MODELS.build(cfg.model)


def require_local(cfg: Config, path: str) -> None:
    """Refuse a config without local learning.

    Raises:
        ValueError: The config's model is not trained locally.
    """
    kind = (cfg.get('model') or {}).get('type')
    if not means(kind, LocalTraining, MODELS, scope=cfg.get('default_scope')):
        needed = 'Detector' if cfg.get('default_scope') == 'mmdet' else 'ImageClassifier'
        raise ValueError(f'{path} has model.type={kind!r}, which is not trained locally; '
                         f"a plan needs model.type='auglocal_mm.Local{needed}'")


def image_shape(cfg: Config, given: Sequence[int] | None = None) -> tuple[int, int]:
    """Return the height and width of the images in pixels.

    Args:
        cfg: A config; its test pipeline comes first, then validation and training.
        given: The user's choice instead: height and width, or one number for both.

    Raises:
        ValueError: `given` is not a size, or no pipeline sets one.
    """
    if given is not None:
        if len(given) not in (1, 2) or not all(isinstance(n, int) and n > 0 for n in given):
            raise ValueError('--shape must be height and width, or one number for both, at least '
                             f'1 pixel each, got {" ".join(map(str, given))}')
        return given[0], given[-1]
    for split in ('test', 'val', 'train'):
        for _, part in dicts_in(cfg.get(f'{split}_dataloader')):
            sizes = [size for transform in part.get('pipeline', ()) if (size := _size(transform))]
            if sizes:
                # The last one decides: a crop follows a resize.
                return sizes[-1]
    raise ValueError('no data pipeline of the config sets crop_size or scale, so the size of its '
                     'images is unknown; pass --shape HEIGHT [WIDTH]')


def _size(transform: Any) -> tuple[int, int] | None:
    """Return the height and width that a transform produces, if it states them."""
    size = transform.get('crop_size', transform.get('scale'))
    sides = [size, size] if isinstance(size, int) else size
    if not isinstance(sides, (list, tuple)) or len(sides) != 2 or not all(
            isinstance(side, int) and side > 0 for side in sides):
        return None
    width_first = str(transform.get('type')).rpartition('.')[2] in WIDTH_FIRST
    return (sides[1], sides[0]) if width_first else (sides[0], sides[1])
