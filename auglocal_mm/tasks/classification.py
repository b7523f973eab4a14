"""Image classification: every auxiliary network learns by the head's own loss."""
from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any

from mmpretrain.models.heads import ClsHead
from torch import Tensor, nn

from auglocal_mm.auxiliary import AuxiliaryNetwork, Losses
from auglocal_mm.execution import Outcome
from auglocal_mm.partition import Features
from auglocal_mm.plan import LocalPlan

from .classification_batch import ClassificationBatch
from .classification_heads import (
    classes_of,
    fits,
    require_fitting_head,
    require_hard_labels,
)


class ClassificationTask:
    """One class per image, or several, as the model's head says.

    A network that ends in logits learns by the head's own loss (``ClsHead._get_loss``), so
    label smoothing, soft labels and class weights apply to every module. One that ends in an
    embedding learns by contrast.

    Args:
        num_classes: Number of classes; 0 where no auxiliary network needs it.
    """

    def __init__(self, num_classes: int) -> None:
        self.num_classes = num_classes

    @classmethod
    def of(cls, model: Any, plan: LocalPlan) -> ClassificationTask:
        """Return the task of a classifier, whose head and labels must fit its plan.

        Raises:
            TypeError: Auxiliary networks cannot use the head's loss or end in something else,
                or nothing states the number of classes.
            ValueError: A contrastive loss meets images without a single label.
        """
        other = [loss for loss in plan.losses
                 if not (loss.auxiliary.classifies or loss.auxiliary.embeds)]
        if other:
            raise TypeError(
                f'an auxiliary network of a classifier must end in a Classifier or an Embedding, '
                f'got {other[0].auxiliary} at {plan.shapes[other[0].unit].name}')
        classes = 0
        if plan.losses:
            require_fitting_head(model.head)
            classes = classes_of(model.head, model.backbone, model.data_preprocessor)
        require_hard_labels(plan, model.head, model.data_preprocessor)
        return cls(classes)

    def batch(self, model: Any, inputs: Tensor, data_samples: Sequence[Any],
              ) -> ClassificationBatch:
        """Return the batch with its labels and scores.

        Args:
            model: Not used.
            inputs: Preprocessed images [B, C, H, W].
            data_samples: B data samples with labels.
        """
        return ClassificationBatch(inputs, data_samples, self.num_classes)

    def reads_images(self, plan: LocalPlan, modules: range) -> bool:
        """See :meth:`~auglocal_mm.execution.Task.reads_images`; second losses may do so."""
        return any(loss.auxiliary.second is not None
                   for module in modules for loss in plan.spans[module].losses)

    def auxiliary_outcome(self, model: Any, auxiliary: AuxiliaryNetwork, features: Features,
                          batch: ClassificationBatch) -> Outcome:
        """Return the local loss of an auxiliary network on a unit's features.

        Raises:
            ValueError: A contrastive loss meets images without a single label.
        """
        if auxiliary.contrastive is not None:
            losses, _ = auxiliary.losses(features, batch, partial(
                self._contrast, auxiliary.contrastive, batch))
            return Outcome(losses=losses)
        losses, logits = auxiliary.losses(features, batch, partial(
            self._classification, model.head, batch))
        return self._scored(losses, logits, batch)

    def final_outcome(self, model: Any, outputs: tuple[Any, ...],
                      batch: ClassificationBatch) -> Outcome:
        """Return the head's own loss of the backbone's outputs."""
        features = model.neck(outputs) if model.with_neck else outputs
        if not fits(model.head):  # back-propagation can train any head
            return Outcome(losses=model.head.loss(features, batch.data_samples))
        logits = model.head(features)
        return self._scored(self._classification(model.head, batch, logits), logits, batch)

    @staticmethod
    def _classification(head: Any, batch: ClassificationBatch, logits: Tensor) -> Losses:
        # A MultiLabelClsHead reads each sample's own scores, so its samples cannot be packed.
        packs = isinstance(head, ClsHead)
        return head._get_loss(logits, batch.packed_samples if packs else batch.data_samples)

    @staticmethod
    def _contrast(loss: nn.Module, batch: ClassificationBatch, embeddings: Tensor) -> Losses:
        if batch.labels is None:
            raise ValueError('a contrastive local loss needs one label per image; use '
                             "loss='softmax' in model.local")
        return {'loss': loss(embeddings, batch.labels)}

    @staticmethod
    def _scored(losses: Losses, logits: Tensor, batch: ClassificationBatch) -> Outcome:
        """Add top-1; with mixed labels (Mixup, CutMix) or several per image there is none."""
        # Scores are looked at, never trained by; with their graph they would keep the module's.
        logits = logits.detach()
        if batch.labels is None:
            return Outcome(losses=losses, output=logits)
        hits = logits.argmax(dim=1) == batch.labels
        return Outcome(losses=losses, output=logits,
                       scores={'accuracy': 100 * hits.float().mean()})
