"""The learning rate of the paper's CIFAR, SVHN and STL-10 runs."""
from __future__ import annotations

import math
from typing import Any

from mmengine.optim.scheduler.lr_scheduler import LRSchedulerMixin
from mmengine.optim.scheduler.param_scheduler import _ParamScheduler

from auglocal_mm.registry import PARAM_SCHEDULERS
from auglocal_mm.validation import Faults, is_int


def warmup_cosine(epoch: int, *, lr: float, epochs: int, warmup_epochs: int,
                  warmup_lr: float) -> float:
    """Return the learning rate of epoch e = 1 … E (the paper's appendix, training set-up).

    It is ½·lr·(1 + cos(πe/E)), mixed in the first W epochs with `warmup_lr`, whose
    share falls from 1 at e = 1 to 1/W at e = W.
    """
    cosine = 0.5 * lr * (1 + math.cos(math.pi * epoch / epochs))
    if epoch > warmup_epochs:
        return cosine
    return (cosine * (epoch - 1) + warmup_lr * (warmup_epochs + 1 - epoch)) / warmup_epochs


@PARAM_SCHEDULERS.register_module()
class WarmupCosineLR(LRSchedulerMixin, _ParamScheduler):
    """Sets :func:`warmup_cosine` at the start of every epoch.

    Args:
        optimizer: Optimizer or optimizer wrapper; its learning rate is the peak.
        epochs: Length E of the run.
        warmup_epochs: Length W of the warm-up, 0 for none.
        warmup_lr: Learning rate that the warm-up starts from.
        **kwargs: As for mmengine's schedulers.

    Raises:
        ValueError: A length is impossible, or the schedule is stepped by iteration.
    """

    def __init__(self, optimizer: Any, epochs: int, warmup_epochs: int = 10,
                 warmup_lr: float = 0.01, **kwargs: Any) -> None:
        faults = Faults('WarmupCosineLR')
        faults.add_unless(is_int(epochs) and epochs >= 1,
                          f'epochs must be an integer of at least 1, got {epochs!r}')
        faults.add_unless(is_int(warmup_epochs) and warmup_epochs >= 0,
                          f'warmup_epochs must be an integer of at least 0, got {warmup_epochs!r}')
        faults.add_unless(kwargs.get('by_epoch', True),
                          'by_epoch must be True: the schedule is defined by epoch')
        faults.raise_if_any()
        self.epochs = epochs
        self.warmup_epochs = warmup_epochs
        self.warmup_lr = warmup_lr
        super().__init__(optimizer, **kwargs)

    def _get_value(self) -> list[float]:
        epoch = min(self.last_step + 1, self.epochs)
        return [warmup_cosine(epoch, lr=base, epochs=self.epochs,
                              warmup_epochs=self.warmup_epochs, warmup_lr=self.warmup_lr)
                for base in self.base_values]
