"""The learning rate of the paper's CIFAR, SVHN and STL-10 runs."""
from __future__ import annotations

import math
from typing import Any

from mmengine.optim.scheduler.lr_scheduler import LRSchedulerMixin
from mmengine.optim.scheduler.param_scheduler import _ParamScheduler  # no public base

from auglocal_mm.registry import PARAM_SCHEDULERS
from auglocal_mm.validation import Faults, check_bool, check_int, check_number, is_int, shown

MAX_EPOCHS, MAX_LR = 1_000_000, 1e6


def warmup_cosine(epoch: int, *, lr: float, epochs: int, warmup_epochs: int,
                  warmup_lr: float) -> float:
    """Return the learning rate of epoch e = 1 … E (the paper's appendix, training set-up).

    It is ½·lr·(1 + cos(πe/E)). In the first W epochs, `warmup_lr` is mixed in; its share
    falls from 1 at e = 1 to 1/W at e = W.
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
        ValueError: A length or the learning rate is impossible, or the schedule is stepped by
            iteration.
    """

    def __init__(self, optimizer: Any, epochs: int, warmup_epochs: int = 10,
                 warmup_lr: float = 0.01, **kwargs: Any) -> None:
        faults = Faults('WarmupCosineLR')
        check_int(faults, 'epochs', epochs, 1, MAX_EPOCHS)
        check_int(faults, 'warmup_epochs', warmup_epochs, 0, MAX_EPOCHS)
        faults.add_unless(
            not is_int(epochs) or not is_int(warmup_epochs) or warmup_epochs <= epochs,
            f'warmup_epochs must be at most epochs={epochs}, got {warmup_epochs}')
        check_number(faults, 'warmup_lr', warmup_lr, 0, MAX_LR)
        faults.add_unless(kwargs.get('by_epoch', True) is True,
                          'by_epoch must be True: the schedule is defined by epoch')
        check_int(faults, 'begin', kwargs.get('begin', 0), 0, MAX_EPOCHS)
        check_int(faults, 'last_step', kwargs.get('last_step', -1), -1, MAX_EPOCHS)
        end = kwargs.get('end', MAX_EPOCHS)
        faults.add_unless(is_int(end) and end >= 1,
                          f'end must be an integer of at least 1, got {shown(end)}')
        check_bool(faults, 'verbose', kwargs.get('verbose', False))
        faults.raise_if_any()
        self.epochs = epochs
        self.warmup_epochs = warmup_epochs
        self.warmup_lr = warmup_lr
        super().__init__(optimizer, **kwargs)

    @classmethod
    def build_iter_from_epoch(cls, *args: Any, **kwargs: Any) -> WarmupCosineLR:
        """Refuse ``convert_to_iter_based=True``.

        Raises:
            ValueError: Always: the schedule is defined by epoch.
        """
        raise ValueError('WarmupCosineLR: convert_to_iter_based must be False or left out: the '
                         'schedule is defined by epoch')

    def _get_value(self) -> list[float]:
        # mmengine steps once more after the last epoch, where the cosine would rise again.
        epoch = min(self.last_step + 1, self.epochs)
        return [warmup_cosine(epoch, lr=base, epochs=self.epochs,
                              warmup_epochs=self.warmup_epochs, warmup_lr=self.warmup_lr)
                for base in self.base_values]
