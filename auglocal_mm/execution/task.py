"""What execution requires of a task: targets, losses, scores."""
from __future__ import annotations

from typing import Any, Protocol

from auglocal_mm.auxiliary import AuxiliaryNetwork
from auglocal_mm.partition import Features
from auglocal_mm.plan import LocalPlan

from .local_step import Outcome


class Task(Protocol):
    """What a model is trained for. A new task is one class, in a file of its own.

    A task holds settings and no modules. It is given the model in each call, so that a
    copied model (EMA) computes with its own head. It never decides when something runs.

    An auxiliary network may end in logits, an embedding, a dense map or a dense head: the
    plan's last layer says which, and the task knows the loss of each end that it allows.
    """

    def batch(self, model: Any, inputs: Any, data_samples: Any) -> Any:
        """Return a training batch with the targets of every loss, computed once per step.

        Second losses read their target from its attributes (``FeatureLoss.target``).
        """

    def reads_images(self, plan: LocalPlan, modules: range) -> bool:
        """Tell whether losses of these modules read the images of a batch.

        Where they do not, a pipeline does not send them on.
        """
        ...

    def auxiliary_outcome(self, model: Any, auxiliary: AuxiliaryNetwork, features: Features,
                          batch: Any) -> Outcome:
        """Return the local loss of an auxiliary network on a unit's features."""
        ...

    def final_outcome(self, model: Any, outputs: tuple[Any, ...], batch: Any) -> Outcome:
        """Return the model's own loss.

        Args:
            model: Its neck and heads, and its own loss function.
            outputs: What ``model.backbone`` returns for the images.
            batch: The batch.
        """
        ...
