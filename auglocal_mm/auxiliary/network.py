"""Auxiliary networks, built from the entries of a plan."""
from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from functools import partial
from typing import Any

from mmengine.model import BaseModule, Sequential
from torch import nn

from auglocal_mm.losses import FeatureLoss, SupervisedContrastiveLoss
from auglocal_mm.partition import Features, Tokens, feature_map
from auglocal_mm.plan import AuxiliaryPlan, Block, Conv, LocalLoss, OwnPooling, TaskHead, UnitRow
from auglocal_mm.registry import LOCAL_LOSSES

from .dropped_outputs import OutputsDropped
from .layers import BuildContext, build_layer
from .recompute import recomputed
from .shortcut import shortcut_first

#: Section 5 of the paper's appendix: convolutions normal with standard deviation
#: √(2 / (k²·out)), norms with weight 1 and bias 0, linear layers as in PyTorch.
INIT_CFG = (
    {'type': 'Kaiming', 'layer': ['Conv2d']},
    {'type': 'Constant', 'val': 1, 'layer': ['_BatchNorm', 'GroupNorm', 'LayerNorm']},
)
#: A loss dict as heads return it; dense heads return a list of tensors per loss.
Losses = dict[str, Any]


class AuxiliaryNetwork(BaseModule):
    """Maps a unit's features to logits or another output, and computes the local loss.

    Args:
        plan: Its description.
        layers: Its layers, applied one after another.
        second: The plan's second loss, if it has one.

    Attributes:
        recompute: Whether the backward pass computes blocks and convolutions a second time, a
            convolution at a time, instead of keeping them.
    """

    recompute = False

    def __init__(self, plan: AuxiliaryPlan, *, layers: list[nn.Module],
                 second: FeatureLoss | None = None) -> None:
        super().__init__(init_cfg=list(INIT_CFG) if plan.init == 'kaiming' else None)
        self.plan = plan
        ends_in_a_vector = plan.classifies or plan.embeds
        names = [*map(str, range(len(layers) - 1)),
                 'fc' if ends_in_a_vector else str(len(layers) - 1)]
        self.layers = Sequential(OrderedDict(zip(names, layers, strict=True)))
        self.second = second
        if plan.init == 'pytorch':
            # OpenMMLab's own convolutions are initialised differently when they are built.
            for part in self.modules():
                if isinstance(part, (nn.modules.conv._ConvNd, nn.Linear)):
                    part.reset_parameters()
        self.contrastive = SupervisedContrastiveLoss() if plan.embeds else None

    def init_weights(self) -> None:
        """Initialise as the plan says; PyTorch's default is already in place.

        A task's head has an initialisation of its own.
        """
        if self.plan.init == 'kaiming':
            super().init_weights()
        elif isinstance(self.head, BaseModule):
            self.head.init_weights()

    def forward(self, x: Features) -> Any:
        """Map features to what the plan ends in: logits [B, classes], embeddings [B, E], …

        Raises:
            ValueError: A training batch of one image meets a BatchNorm1d.
        """
        # BatchNorm1d itself would say "Expected more than 1 value per channel".
        if self.training and self.plan.norms_vectors and _batch_size(x) == 1:
            raise ValueError(
                'the BatchNorm1d before an auxiliary classifier needs at least 2 images per '
                'batch in training, got 1; use a larger batch, drop_last=True in the train '
                'dataloader, or, for AugLocal, batch_norm_before_fc=False in model.local')
        # A transformer's blocks accept its tokens; all other layers accept feature maps.
        own_kind = isinstance(self.plan.layers[0], (Block, OwnPooling))
        output: Any = x if own_kind else feature_map(x)
        for index, (planned, layer) in enumerate(zip(self.plan.layers, self.layers, strict=True)):
            # Other layers make small things of large ones; there is little to save.
            if self.recompute and isinstance(planned, (Block, Conv)):
                output = self._recomputed(index, output)
            else:
                # A head reads a map; the block before it may return tokens.
                output = layer(feature_map(output) if isinstance(planned, TaskHead) else output)
        return output

    def _recomputed(self, index: int, x: Features) -> Features:
        """Run a block or convolution; keep as little of it as pays."""
        layer = self.layers[index]
        run = partial(shortcut_first, layer)
        # What ends a network is small, so the backward pass of its last block is next and holds
        # the inside anyway. Another large part would come between.
        others = [each for each in self.plan.layers[index + 1:]
                  if isinstance(each, (Block, Conv, TaskHead))]
        if isinstance(self.plan.layers[index], Block) and (others or self.second is not None):
            return recomputed(run, (x,), modules=partial(_only, layer), in_pieces=True)
        # Of a convolution, too, only what the next layer reads is kept.
        with OutputsDropped():
            return run(x)

    @property
    def head(self) -> nn.Module:
        """The last layer, which a task's loss may have built."""
        return self.layers[-1]

    def losses(self, x: Features, batch: Any,
               end_losses: Callable[[Any], Losses]) -> tuple[Losses, Any]:
        """Compute the local loss: λ2 times the loss at the end plus λ1 times the second one.

        Args:
            x: The unit's features.
            batch: The task's batch; the second loss takes its ``target`` from there.
            end_losses: The task's loss of this network's output, as a dict.

        Returns:
            A loss dict and the output, both with graph.
        """
        output = self(x)
        # mmengine adds up every entry whose name holds `loss`; an accuracy must not be scaled.
        losses = {name: _weighted(value, self.plan.weight) if 'loss' in name else value
                  for name, value in end_losses(output).items()}
        if self.second is not None and self.plan.second is not None:
            loss = self.second(feature_map(x), getattr(batch, self.second.target))
            losses[f'loss_{self.plan.second.name}'] = self.plan.second.weight * loss
        return losses, output


def _only(layer: nn.Module) -> list[nn.Module]:
    return [layer]


def _weighted(loss: Any, weight: float) -> Any:
    return [part * weight for part in loss] if isinstance(loss, (list, tuple)) else loss * weight


def _batch_size(x: Features) -> int:
    return len(x.values if isinstance(x, Tokens) else x)


def build_auxiliary(entry: LocalLoss | UnitRow, context: BuildContext) -> AuxiliaryNetwork:
    """Build an auxiliary network with fresh weights.

    Args:
        entry: Its place in a plan, which says what it reads: a module's loss or a unit's row.
        context: What building it requires.

    Raises:
        ValueError: The unit has none, or a block cannot be built for the backbone.
    """
    plan, channels = entry.auxiliary, entry.channels
    if plan is None:
        raise ValueError(f'{getattr(entry, "name", "the unit")} has no auxiliary network in its '
                         'plan')
    layers, width = [], channels
    for layer in plan.layers:
        module, width = build_layer(layer, width, context)
        layers.append(module)
    second = None
    if plan.second is not None:
        second = LOCAL_LOSSES.get(plan.second.name)(channels, mean=context.mean, std=context.std)
    return AuxiliaryNetwork(plan, layers=layers, second=second)
