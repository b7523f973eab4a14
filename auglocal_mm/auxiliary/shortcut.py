"""Shortcuts of residual blocks, computed before the rest so that their backward pass comes last."""
from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn


def shortcut_first(block: nn.Module, x: Any) -> Any:
    """Run a block; if convolutions are on its shortcut (``downsample``), run these first.

    OpenMMLab's blocks run them last. Backward passes take branches in the reverse order, so the
    gradient that leaves the shortcut would wait while the other branch holds the most. Results
    and gradients are the same bit for bit.
    """
    shortcut = block._modules.get('downsample')
    if shortcut is None:
        return block(x)
    for_shortcut, for_others = _Fork.apply(x, x)
    done = shortcut(for_shortcut)
    # An attribute of the object hides the module from the block's forward pass.
    vars(block)['downsample'] = lambda _: done
    try:
        return block(for_others)
    finally:
        del vars(block)['downsample']


class _Fork(torch.autograd.Function):
    """Hands a tensor to two branches, and adds up their gradients in this order.

    What else reads the tensor has a gradient as well, and sums of three depend on the order.
    """

    @staticmethod
    def forward(ctx: Any, first: Tensor, second: Tensor) -> tuple[Tensor, Tensor]:
        return first.view_as(first), second.view_as(second)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, ...]:
        return gradients
