"""The plain classifier inside a local one: what is used for inference, and nothing else."""
from __future__ import annotations

import copy
from typing import Any, TypeVar

from mmpretrain.models import ImageClassifier
from torch import Tensor, nn

M = TypeVar('M', bound=nn.Module)


class InferenceClassifier(ImageClassifier):
    """mmpretrain's classifier, which also accepts a plain ``nn.Sequential`` as its backbone."""

    def extract_feat(self, inputs: Tensor, stage: str = 'neck') -> Any:
        """Extract features like mmpretrain's classifier."""
        if not isinstance(self.backbone, nn.Sequential):
            return super().extract_feat(inputs, stage)
        # torch's Sequential returns a tensor, but OpenMMLab's parts expect a tuple.
        features = (self.backbone(inputs),)
        if stage != 'backbone' and self.with_neck:
            features = self.neck(features)
        return self.head.pre_logits(features) if stage == 'pre_logits' else features


def copy_sharing_weights(module: M) -> M:
    """Copy a module; parameters and buffers are those of the original, modes are its own."""
    shared = [*module.parameters(), *module.buffers()]
    return copy.deepcopy(module, {id(tensor): tensor for tensor in shared})


def inference_view(model: ImageClassifier) -> InferenceClassifier:
    """Return a plain classifier in evaluation mode that shares the weights of `model`.

    It has no auxiliary networks, so its parameters, traces and exports are those of
    inference. What trains `model` later is seen here too; modes are not shared.
    """
    parts = {name: None if part is None else copy_sharing_weights(part) for name, part in (
        ('backbone', model.backbone), ('neck', model.neck), ('head', model.head),
        ('data_preprocessor', model.data_preprocessor))}
    view = InferenceClassifier(**parts)
    view.eval()
    return view
