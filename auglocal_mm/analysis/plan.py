"""The local plan of a config, without training anything."""
from __future__ import annotations

from mmengine.registry import MODELS, DefaultScope

from auglocal_mm.engine.launch import load_config
from auglocal_mm.plan import LocalPlan


def plan_of_config(path: str, cfg_options: dict | None = None) -> LocalPlan:
    """Build a config's model and return its plan.

    Raises:
        ValueError: The config's model is not a ``LocalImageClassifier``.
    """
    cfg = load_config(path, cfg_options=cfg_options)
    if cfg.model.type != 'auglocal_mm.LocalImageClassifier':
        raise ValueError(f'{path} has model.type={cfg.model.type!r}, which is not trained locally; '
                         "a plan needs model.type='auglocal_mm.LocalImageClassifier'")
    with DefaultScope.overwrite_default_scope(cfg.get('default_scope', 'mmpretrain')):
        return MODELS.build(cfg.model).plan
