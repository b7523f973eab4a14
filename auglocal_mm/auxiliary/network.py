"""Auxiliary networks: what a plan's entry becomes."""
from __future__ import annotations

from collections.abc import Mapping

from mmengine.model import BaseModule
from torch import Tensor, nn

from auglocal_mm.partition import LocalLayer
from auglocal_mm.plan import LayerPlan

#: Section 5 of the paper's appendix: convolutions normal with standard
#: deviation √(2 / (k²·out)), normalisation 1 and 0, linear layers PyTorch's own.
INIT_CFG = (
    {'type': 'Kaiming', 'layer': ['Conv2d']},
    {'type': 'Constant', 'val': 1, 'layer': ['_BatchNorm', 'GroupNorm']},
)


class AuxiliaryNetwork(BaseModule):
    """Blocks, global average pooling and a classifier: features -> class logits.

    Args:
        blocks: Blocks applied one after the other.
        channels: Channels of the last block's output.
        num_classes: Number of classes.
        batch_norm_before_fc: Whether a BatchNorm1d stands before the classifier.
    """

    def __init__(self, blocks: list[nn.Module], *, channels: int, num_classes: int,
                 batch_norm_before_fc: bool = False) -> None:
        super().__init__(init_cfg=list(INIT_CFG))
        self.blocks = nn.Sequential(*blocks)
        self.gap = nn.AdaptiveAvgPool2d(1)
        self.norm = nn.BatchNorm1d(channels) if batch_norm_before_fc else None
        self.fc = nn.Linear(channels, num_classes)

    def forward(self, x: Tensor) -> Tensor:
        """Features [B, C, H, W] -> logits [B, classes].

        Raises:
            ValueError: A training batch of one image meets the BatchNorm1d.
        """
        x = self.gap(self.blocks(x)).flatten(1)
        if self.norm is not None:
            if self.norm.training and x.shape[0] == 1:
                raise ValueError(
                    'the BatchNorm1d before an auxiliary classifier needs at least 2 images a '
                    'batch in training, got 1; use a larger batch, drop_last=True in the train '
                    'dataloader, or batch_norm_before_fc=False in model.local')
            x = self.norm(x)
        return self.fc(x)


def build_auxiliary(plan: LayerPlan, *, layers: Mapping[str, LocalLayer], backbone: nn.Module,
                    num_classes: int) -> AuxiliaryNetwork:
    """Build the auxiliary network that `plan` gives its layer, with fresh weights.

    Args:
        plan: A layer's plan with an auxiliary.
        layers: The backbone's local layers by name.
        backbone: The backbone they belong to.
        num_classes: Number of classes.
    """
    if plan.auxiliary is None:
        raise ValueError(f'{plan.name} has no auxiliary network in its plan')
    blocks, channels = [], plan.channels
    for block in plan.auxiliary.blocks:
        build_block = layers[block.source].build_block
        if build_block is None:
            raise ValueError(f'no auxiliary block can be built like {block.source}; give its '
                             'LocalLayer a build_block')
        blocks.append(build_block(backbone, in_channels=channels, stride=block.stride))
        channels = block.channels
    return AuxiliaryNetwork(blocks, channels=channels, num_classes=num_classes,
                            batch_norm_before_fc=plan.auxiliary.batch_norm_before_fc)
