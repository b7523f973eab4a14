"""Auxiliary networks, built from the entries of a plan."""
from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable

from mmengine.model import BaseModule, Sequential
from torch import Tensor, nn

from auglocal_mm.losses import FeatureLoss, SupervisedContrastiveLoss
from auglocal_mm.partition import Features, Tokens, feature_map
from auglocal_mm.plan import AuxiliaryPlan, Block, LayerPlan, OwnPooling
from auglocal_mm.registry import LOCAL_LOSSES

from .batch import LocalBatch
from .layers import BuildContext, build_layer

#: Section 5 of the paper's appendix: convolutions normal with standard deviation
#: √(2 / (k²·out)), norms with weight 1 and bias 0, linear layers as in PyTorch.
INIT_CFG = (
    {'type': 'Kaiming', 'layer': ['Conv2d']},
    {'type': 'Constant', 'val': 1, 'layer': ['_BatchNorm', 'GroupNorm', 'LayerNorm']},
)
Losses = dict[str, Tensor]


class AuxiliaryNetwork(BaseModule):
    """Maps a local layer's features to class logits, and computes the local loss.

    Args:
        plan: Its description.
        layers: Its layers, applied one after another.
        second: The plan's second loss, if it has one.
    """

    def __init__(self, plan: AuxiliaryPlan, *, layers: list[nn.Module],
                 second: FeatureLoss | None = None) -> None:
        super().__init__(init_cfg=list(INIT_CFG) if plan.init == 'kaiming' else None)
        self.plan = plan
        names = [*map(str, range(len(layers) - 1)), 'fc']
        self.layers = Sequential(OrderedDict(zip(names, layers, strict=True)))
        self.second = second
        if plan.init == 'pytorch':
            # OpenMMLab's own convolutions are initialised differently when they are built.
            for part in self.modules():
                if isinstance(part, (nn.modules.conv._ConvNd, nn.Linear)):
                    part.reset_parameters()
        self.contrastive = None if plan.classifies else SupervisedContrastiveLoss()

    def init_weights(self) -> None:
        """Initialise as the plan says; PyTorch's default is already in place."""
        if self.plan.init == 'kaiming':
            super().init_weights()

    def forward(self, x: Features) -> Tensor:
        """Map features to logits [B, classes], or to embeddings [B, E] in a contrastive plan.

        Raises:
            ValueError: A training batch of one image meets a BatchNorm1d.
        """
        if self.training and self.plan.norms_vectors and _batch_size(x) == 1:
            raise ValueError(
                'the BatchNorm1d before an auxiliary classifier needs at least 2 images per '
                'batch in training, got 1; use a larger batch, drop_last=True in the train '
                'dataloader, or, for AugLocal, batch_norm_before_fc=False in model.local')
        # A transformer's blocks accept its tokens; all other layers accept feature maps.
        own_kind = isinstance(self.plan.layers[0], (Block, OwnPooling))
        return self.layers(x if own_kind else feature_map(x))

    def losses(self, x: Features, batch: LocalBatch,
               classification_loss: Callable[[Tensor], Losses]) -> tuple[Losses, Tensor | None]:
        """Compute the local loss: λ2 times the final loss plus λ1 times the second one.

        Args:
            x: The local layer's features.
            batch: Images and labels.
            classification_loss: Logits -> the head's loss dict.

        Returns:
            A loss dict with graph, and logits [B, classes] without graph
            (``None`` for a contrastive plan).
        """
        output, logits = self(x), None
        if self.contrastive is None:
            losses, logits = classification_loss(output), output.detach()
        else:
            if batch.labels is None:
                raise ValueError('a contrastive local loss needs one label per image; use '
                                 "loss='softmax' in model.local")
            losses = {'loss': self.contrastive(output, batch.labels)}
        losses = {name: value * self.plan.weight if 'loss' in name else value
                  for name, value in losses.items()}
        if self.second is not None and self.plan.second is not None:
            loss = self.second(feature_map(x), getattr(batch, self.second.target))
            losses[f'loss_{self.plan.second.name}'] = self.plan.second.weight * loss
        return losses, logits


def _batch_size(x: Features) -> int:
    return len(x.values if isinstance(x, Tokens) else x)


def build_auxiliary(entry: LayerPlan, context: BuildContext) -> AuxiliaryNetwork:
    """Build the auxiliary network of a local layer's plan, with fresh weights.

    Raises:
        ValueError: The entry has none, or a block cannot be built for the backbone.
    """
    plan = entry.auxiliary
    if plan is None:
        raise ValueError(f'{entry.name} has no auxiliary network in its plan')
    layers, channels = [], entry.channels
    for layer in plan.layers:
        module, channels = build_layer(layer, channels, context)
        layers.append(module)
    second = None
    if plan.second is not None:
        second = LOCAL_LOSSES.get(plan.second.name)(
            entry.channels, mean=context.mean, std=context.std)
    return AuxiliaryNetwork(plan, layers=layers, second=second)
