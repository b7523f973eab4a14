"""Hooks that decide how a model computes, for tools that train a step without a runner."""
from __future__ import annotations

from types import SimpleNamespace
from typing import Any

from mmengine.config import Config
from mmengine.registry import HOOKS

from auglocal_mm.config.named import class_of
from auglocal_mm.engine import ChannelsLastHook, DeviceAugmentHook, ReuseMemoryHook


def prepare(cfg: Config, model: Any, loader: Any = None) -> None:
    """Let a config's hooks prepare a model, and its training loader if there is one.

    Args:
        cfg: The config; ``ChannelsLastHook``, ``DeviceAugmentHook`` and ``ReuseMemoryHook`` take
            effect.
        model: The model, on its device.
        loader: The loader; ``None`` where batches are made.
    """
    hooks = [*(cfg.get('default_hooks') or {}).values(), *(cfg.get('custom_hooks') or ())]
    kinds = {class_of(hook.get('type'), HOOKS) for hook in hooks if hook}
    runner: Any = SimpleNamespace(model=model, train_dataloader=loader)
    for kind in (ChannelsLastHook, ReuseMemoryHook):
        if kind in kinds:
            kind().before_run(runner)
    if DeviceAugmentHook in kinds and loader is not None:
        DeviceAugmentHook().before_train(runner)
