"""Small networks and batches that the tests share."""
from __future__ import annotations

from dataclasses import replace
from typing import Any

import torch
from mmengine.registry import MODELS, DefaultScope
from mmpretrain.structures import DataSample
from networks import Network

CLASSES = 4


def classifier(local: dict[str, Any] | None = None, *, backbone: Any = None,
               seed: int = 0, **model: Any) -> torch.nn.Module:
    """A CIFAR ResNet-20 of 4 channels by local learning, or plain where `local` is None."""
    torch.manual_seed(seed)
    backbone = backbone or {
        'type': 'auglocal_mm.ResNetCIFAR', 'depth': 20, 'stem_channels': 4, 'base_channels': 4}
    cfg = {
        'type': 'ImageClassifier', 'backbone': backbone,
        'neck': {'type': 'GlobalAveragePooling'},
        'head': {'type': 'LinearClsHead', 'num_classes': CLASSES, 'in_channels': 16,
                 'init_cfg': []},
        'data_preprocessor': {'type': 'ClsDataPreprocessor', 'num_classes': CLASSES},
        **model}
    if local is not None:
        cfg.update(type='auglocal_mm.LocalImageClassifier', local=local)
    with DefaultScope.overwrite_default_scope('mmpretrain'):
        return MODELS.build(cfg)


class AsIs(torch.nn.Module):
    """A data preprocessor that leaves a batch alone, its float64 included."""

    def forward(self, data: dict[str, Any], training: bool = False) -> dict[str, Any]:
        return data


def network_classifier(network: Network, local: dict[str, Any], *, freeze: bool = False,
                       **model: Any) -> torch.nn.Module:
    """A local classifier on one of `NETWORKS`, with a linear head."""
    torch.manual_seed(0)
    backbone = network.build(**(network.frozen if freeze else {}))
    head = {'type': 'LinearClsHead', 'num_classes': CLASSES, 'in_channels': network.features}
    neck = {'type': 'GlobalAveragePooling'} if network.pooled else None
    return classifier(local, backbone=backbone, **{'neck': neck, 'head': head, **model})


def in_float64(model: torch.nn.Module) -> torch.nn.Module:
    model.double().data_preprocessor = AsIs()
    return model


def auglocal(depth: int = 3, **settings: Any) -> dict[str, Any]:
    return {'type': 'auglocal_mm.AugLocal', 'depth': depth, **settings}


def batch(size: int = 6, *, side: int = 16, seed: int = 1,
          dtype: torch.dtype = torch.float32) -> dict[str, Any]:
    generator = torch.Generator().manual_seed(seed)
    labels = torch.randint(CLASSES, (size,), generator=generator)
    return {
        'inputs': torch.randn(size, 3, side, side, generator=generator, dtype=dtype),
        'data_samples': [DataSample().set_gt_label(label) for label in labels]}


def labels_of(data: dict[str, Any]) -> torch.Tensor:
    return torch.cat([sample.gt_label for sample in data['data_samples']])


def gradients(model: torch.nn.Module) -> dict[str, torch.Tensor]:
    return {name: parameter.grad.clone() for name, parameter in model.named_parameters()
            if parameter.grad is not None}


class KeepGradients(torch.optim.SGD):
    """Steps without moving weights, and keeps the gradients it was given."""

    def __init__(self, model: torch.nn.Module) -> None:
        super().__init__(model.parameters(), lr=0.0)
        self.model = model
        self.seen: list[dict[str, torch.Tensor]] = []

    def step(self, closure=None):
        self.seen.append(gradients(self.model))


def poison_loss(model: Any, module: int, value: float) -> None:
    """Make the loss of one module `value`, whatever it would have been."""
    last = model.plan.modules - 1
    name = 'final_outcome' if module == last else 'auxiliary_outcome'
    original, taught = getattr(model.task, name), model.auxiliary_of(module)

    def outcome(model, *args):
        found = original(model, *args)
        if module == last or args[0] is taught:
            found = replace(found, losses={
                key: loss * value for key, loss in found.losses.items()})
        return found
    setattr(model.task, name, outcome)


def scale_gradient(model: Any, factor: float) -> None:
    """Multiply the gradient of one weight in the middle of the network."""
    model.backbone.layer2[0].conv1.weight.register_hook(lambda gradient: gradient * factor)
