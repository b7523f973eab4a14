"""The task of a detector: its own loss for the last module, local losses for the others."""
from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

from torch import Tensor, nn

from auglocal_mm.auxiliary import AuxiliaryNetwork
from auglocal_mm.execution import Outcome
from auglocal_mm.partition import Features
from auglocal_mm.plan import LocalPlan

from .batch import DetectionBatch
from .local_loss import DetectionLoss


@dataclass(frozen=True, kw_only=True)
class DetectionTask:
    """Objects in images, with boxes and possibly masks.

    Attributes:
        num_classes: Number of the detector's classes.
        local_losses: The local losses by name.
        mean, std: The data preprocessor's, in pixel values 0 … 255.
    """
    num_classes: int
    local_losses: Mapping[str, DetectionLoss]
    mean: tuple[float, ...]
    std: tuple[float, ...]

    @property
    def heads(self) -> dict[str, Any]:
        """What each local loss builds its heads by."""
        return {name: partial(self._build_head, loss) for name, loss in self.local_losses.items()}

    def _build_head(self, loss: DetectionLoss, *, channels: int, stride: int) -> nn.Module:
        return loss.build_head(channels=channels, stride=stride, classes=self.num_classes)

    def batch(self, model: Any, inputs: Tensor, data_samples: Sequence[Any]) -> DetectionBatch:
        """Return the batch with its targets.

        Args:
            model: Not used.
            inputs: Preprocessed images [B, 3, H, W].
            data_samples: B data samples with ground truth.
        """
        return DetectionBatch(inputs, data_samples, self.num_classes, self.mean, self.std)

    def reads_images(self, plan: LocalPlan, modules: range) -> bool:
        """See :meth:`~auglocal_mm.execution.Task.reads_images`; targets are made from them."""
        return True

    def auxiliary_outcome(self, model: Any, auxiliary: AuxiliaryNetwork, features: Features,
                          batch: DetectionBatch) -> Outcome:
        """Return the local loss of an auxiliary network on a unit's features."""
        head = auxiliary.plan.head
        assert head is not None  # plan_local_losses ends every network in one
        loss = self.local_losses[head.loss]
        losses, _ = auxiliary.losses(features, batch, lambda predictions: loss.losses(
            auxiliary.head, predictions, batch))
        # Beside the module's sum, so that one can see what to weigh how.
        total = model.parse_losses(losses)[0]
        return Outcome(losses=losses, scores={head.loss: total.detach()})

    def final_outcome(self, model: Any, outputs: tuple[Any, ...],
                      batch: DetectionBatch) -> Outcome:
        """Return the detector's own loss of the backbone's outputs."""
        return Outcome(losses=model.loss_of_outputs(outputs, batch.images, batch.data_samples))
