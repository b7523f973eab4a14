"""Norms of auxiliary networks that do not depend on the batch."""
from __future__ import annotations

import math

from torch import nn

#: Groups of a GroupNorm, as in detection heads; fewer where they do not divide the channels.
GROUPS = 32


def with_group_norms(module: nn.Module) -> nn.Module:
    """Replace every batch norm of feature maps by a GroupNorm; return the module.

    Detectors train with one or two images per device, too few for the statistics of a batch.
    """
    for name, child in module.named_children():
        if isinstance(child, nn.modules.batchnorm._BatchNorm):
            channels = child.num_features
            setattr(module, name, nn.GroupNorm(math.gcd(GROUPS, channels), channels))
        else:
            with_group_norms(child)
    return module
