"""Norms of auxiliary networks that do not depend on the batch."""
from __future__ import annotations

import math

from torch import nn

#: Groups of a GroupNorm, as in detection heads. A group has 8 channels at least: with one, the
#: norm would take away the level of each channel, which poolings read.
GROUPS, GROUP_CHANNELS = 32, 8


def groups_of(channels: int) -> int:
    """Return the number of groups for a number of channels: a power of two that divides it."""
    groups = math.gcd(GROUPS, channels)
    while groups > 1 and channels // groups < GROUP_CHANNELS:
        groups //= 2
    return groups


def with_group_norms(module: nn.Module) -> nn.Module:
    """Replace every batch norm of feature maps by a GroupNorm; return the module.

    Detectors train with one or two images per device, too few for the statistics of a batch.
    """
    for name, child in module.named_children():
        if isinstance(child, nn.modules.batchnorm._BatchNorm):
            channels = child.num_features
            setattr(module, name, nn.GroupNorm(groups_of(channels), channels))
        else:
            with_group_norms(child)
    return module
