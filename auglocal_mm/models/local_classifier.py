"""A classifier whose backbone is trained module by module."""
from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn

from auglocal_mm.execution import Carry
from auglocal_mm.registry import MODELS
from auglocal_mm.rules import build_rule
from auglocal_mm.tasks import ClassificationTask

from .inference_view import InferenceClassifier, inference_view
from .local_training import LocalTraining


@MODELS.register_module()
class LocalImageClassifier(LocalTraining, InferenceClassifier):
    """mmpretrain's classifier, trained by local losses.

    ``backbone.*``, ``neck.*`` and ``head.*`` are the plain classifier's own modules
    and state-dict keys; auxiliary networks are under ``auxiliary.*``. Inference is
    that of the plain classifier.

    Args:
        backbone: Config or module, as for ``ImageClassifier``.
        local: The learning rule, e.g.
            ``dict(type='auglocal_mm.AugLocal', depth=2, tau=0.5)``.
        neck: As for ``ImageClassifier``.
        head: As for ``ImageClassifier``. It computes its loss from logits alone, as
            ``ClsHead`` and ``MultiLabelClsHead`` do. Every auxiliary network uses the
            same loss.
        recompute: What is computed a second time in backward passes instead of being kept:
            ``True`` for everything, or a list of ``'modules'`` (the units of all modules),
            ``'last'`` (those of the last module) and ``'auxiliary'``.
        **kwargs: As for ``ImageClassifier``.

    Attributes:
        plan: The :class:`~auglocal_mm.plan.LocalPlan` that was built.
        auxiliary: Auxiliary networks by unit name, dots replaced by ``_``.
        local_metrics: Losses and accuracies of the latest training step.

    Raises:
        TypeError: The backbone cannot be partitioned, or auxiliary networks cannot
            use the head's loss.
        ValueError: The rule's settings are impossible for this backbone.
    """

    task: ClassificationTask

    def __init__(self, backbone: dict | nn.Module, local: Any, neck: dict | None = None,
                 head: dict | None = None, recompute: Any = (), **kwargs: Any) -> None:
        rule = build_rule(local)  # first, because a mistake in it costs no time then
        super().__init__(backbone=backbone, neck=neck, head=head, **kwargs)
        self.learn_locally(rule, partial(ClassificationTask.of, self), recompute=recompute)

    @property
    def num_classes(self) -> int:
        """Number of classes; 0 where no auxiliary network needs it."""
        return self.task.num_classes

    def head_logits(self, outputs: tuple[Tensor, ...]) -> Tensor:
        """Pass the backbone's outputs through neck and head: logits [B, classes]."""
        return self.head(self.neck(outputs) if self.with_neck else outputs)

    def end_parts(self, outputs: tuple[Tensor, ...]) -> Iterable[Callable[[], Any]]:
        """See :meth:`LocalTraining.end_parts`."""
        return [partial(self.head_logits, outputs)]

    @torch.no_grad()
    def local_logits(self, inputs: Tensor) -> Iterator[tuple[str, Tensor]]:
        """Yield class logits at every depth, for analysis; the last entry is named ``head``.

        Args:
            inputs: Preprocessed images [B, C, H, W].

        Yields:
            The name of the unit that the auxiliary network reads, and logits [B, classes];
            networks that learn an embedding are left out.
        """
        carry = Carry(features=inputs)
        for module, span in enumerate(self.plan.spans):
            passage = self.chain.run(self.backbone, module, carry)
            for loss in span.losses:
                if loss.auxiliary.classifies:
                    yield (self.plan.shapes[loss.unit].name,
                           self.auxiliary[loss.key](passage.read[loss.unit]))
            carry = passage.carry
        yield 'head', self.head_logits(carry.outputs)

    def inference_view(self) -> InferenceClassifier:
        """Return a plain classifier in evaluation mode that shares this model's weights.

        To count, trace or export what is used for inference: it has no auxiliary
        networks. See :func:`~auglocal_mm.models.inference_view.inference_view`.
        """
        return inference_view(self)
