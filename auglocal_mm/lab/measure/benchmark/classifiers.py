"""Classifiers in the benchmark: random images, each with a random label."""
from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from mmengine.config import Config
from mmengine.registry import MODELS
from mmpretrain.models import ImageClassifier
from mmpretrain.structures import DataSample

from auglocal_mm.config.named import means
from auglocal_mm.lab.measure.complexity import complexity
from auglocal_mm.lab.measure.config_model import image_shape
from auglocal_mm.partition import image_channels
from auglocal_mm.tasks.classification_heads import classes_of

from .costs import Costs


class Classifiers:
    """mmpretrain's classifiers, plain or local; see :class:`.model_kind.ModelKind`."""

    noun = 'classifier'

    def includes(self, cfg: Config) -> bool:
        """See :meth:`.model_kind.ModelKind.includes`."""
        return means(cfg.model.get('type'), ImageClassifier, MODELS,
                     scope=cfg.get('default_scope', 'mmpretrain'))

    def shape(self, cfg: Config, given: Sequence[int] | None) -> tuple[int, int]:
        """See :meth:`.model_kind.ModelKind.shape`."""
        return image_shape(cfg, given)

    def batch(self, model: Any, *, size: int, shape: tuple[int, int]) -> dict[str, Any]:
        """Make images [B, C, H, W] of bytes, as data pipelines do, and labels."""
        channels = image_channels(model.backbone)
        classes = classes_of(model.head, model.backbone, model.data_preprocessor)
        generator = torch.Generator().manual_seed(0)
        labels = torch.randint(classes, (size,), generator=generator)
        images = torch.randint(256, (size, channels, *shape), generator=generator,
                               dtype=torch.uint8)
        return {'inputs': images,
                'data_samples': [DataSample().set_gt_label(int(label)) for label in labels]}

    def costs(self, model: Any, shape: tuple[int, int]) -> Costs:
        """Count parameters and multiply-adds by fvcore."""
        counts = complexity(model, shape)
        return Costs(backbone_params=counts.backbone_params,
                     auxiliary_params=counts.auxiliary_params,
                     backbone_flops=counts.backbone_flops, flops=counts.flops)
