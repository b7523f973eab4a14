"""Fresh copies of modules: the same kind and settings, new weights."""
from __future__ import annotations

import copy
from typing import Any, TypeVar

from mmengine.model import BaseModule
from torch import nn

Module = TypeVar('Module', bound=nn.Module)


def fresh_like(module: Module) -> Module:
    """Return a trainable copy with new weights, without stochastic depth or checkpointing.

    Parameters that no layer initialises by itself, such as layer scales, keep
    their values from a newly built network.
    """
    twin = copy.deepcopy(module).train()
    part: Any
    for part in twin.modules():
        if callable(reset := getattr(part, 'reset_parameters', None)):
            reset()
        if isinstance(part, BaseModule):
            part._is_init = False  # or mmengine would skip it in init_weights
        if hasattr(part, 'with_cp'):
            part.with_cp = False
        # By name: mmcv and timm each have a class of this name.
        if type(part).__name__ == 'DropPath':
            part.drop_prob = 0.0
    return twin.requires_grad_(True)
