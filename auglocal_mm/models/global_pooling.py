"""Global average pooling that keeps the layout of features and of their gradients."""
from __future__ import annotations

import torch
from torch import Tensor, nn


class GlobalPooling(nn.AdaptiveAvgPool2d):
    """Average over all positions: [B, C, H, W] -> [B, C, 1, 1].

    The gradient of torch's pooling is in the usual layout, whatever the input's. After
    features that are channels last, the layers before the pooling would then read two
    layouts at once, at several times their cost. Values and gradients are equal bit for bit.
    """

    def __init__(self) -> None:
        super().__init__(1)

    def forward(self, input: Tensor) -> Tensor:
        """Pool features."""
        if input.is_contiguous() or not input.is_contiguous(memory_format=torch.channels_last):
            return super().forward(input)
        # A view whose gradient is spread over the positions with the channels innermost.
        pooled = input.permute(0, 2, 3, 1).flatten(1, 2).mean(1)
        return pooled[:, :, None, None]


def keep_layout_in_pooling(model: nn.Module) -> None:
    """Replace torch's global average poolings in a model by :class:`GlobalPooling`."""
    for parent in list(model.modules()):
        for name, child in parent.named_children():
            # By exact class, because a subclass may compute something else.
            if type(child) is nn.AdaptiveAvgPool2d and child.output_size in (1, (1, 1)):
                parent.register_module(name, GlobalPooling().train(child.training))
