"""Shows the auxiliary networks and how well each local layer learns."""
from __future__ import annotations

from collections import Counter
from typing import Any

import torch
from mmengine.dataset import InfiniteSampler
from mmengine.hooks import Hook, LoggerHook
from mmengine.model import is_model_wrapper
from mmengine.runner import Runner
from torch import Tensor

from auglocal_mm.models import LocalImageClassifier
from auglocal_mm.models.local_classifier import auxiliary_key
from auglocal_mm.registry import HOOKS
from auglocal_mm.validation import Faults, check_int

SHOWN = 6
MAX_INTERVAL = 1_000_000_000


@HOOKS.register_module()
class AuxiliaryHeadHook(Hook):
    """Logs local losses and local accuracies; observes, never trains.

    Call order: ``before_train`` checks the batch size against the plan and logs
    the plan once. ``after_train_iter`` sums on the device; once per interval it
    prints one line and sends every mean to the visualizer backends as
    ``local/loss/<layer>`` and ``local/accuracy/<layer>`` (percent, on training
    batches). Values are the logging rank's own, as in mmengine.

    Args:
        interval: Iterations between two lines; ``None`` for the interval of
            the runner's ``LoggerHook``.

    Raises:
        TypeError: The model is not a ``LocalImageClassifier``.
        ValueError: The interval is impossible, or a batch of one image would meet a
            BatchNorm1d.
    """

    priority = 'NORMAL'

    def __init__(self, interval: int | None = None) -> None:
        faults = Faults('AuxiliaryHeadHook')
        check_int(faults, 'interval', interval, 1, MAX_INTERVAL, optional=True)
        faults.raise_if_any()
        self.interval = interval
        self._sums: dict[str, Tensor] = {}
        self._counts: Counter[str] = Counter()

    def before_train(self, runner: Runner) -> None:
        """Check the batch size and log the plan."""
        model = _local_model(runner)
        _check_batch_size(runner, model)
        runner.logger.info(describe(model))
        if self.interval is None:
            self.interval = next((hook.interval for hook in runner.hooks
                                  if isinstance(hook, LoggerHook)), 10)

    def after_train_iter(self, runner: Runner, batch_idx: int, data_batch: Any = None,
                         outputs: dict | None = None) -> None:
        """Add up this step's values; report once per interval."""
        metrics = _local_model(runner).local_metrics
        for kind, values in (('loss', metrics.losses), ('accuracy', metrics.accuracies)):
            for name, value in values.items():
                key = f'local/{kind}/{name}'
                self._sums[key] = self._sums.get(key, 0) + value
                self._counts[key] += 1
        if self.every_n_inner_iters(batch_idx, self.interval) or self.end_of_epoch(
                runner.train_dataloader, batch_idx):
            self._report(runner, metrics.names)

    def _report(self, runner: Runner, names: tuple[str, ...]) -> None:
        if not self._sums:
            return
        sums = torch.stack(list(self._sums.values())).tolist()
        scalars = {key: total / self._counts[key]
                   for key, total in zip(self._sums, sums, strict=True)}
        self._sums, self._counts = {}, Counter()
        runner.visualizer.add_scalars(scalars, step=runner.iter + 1)
        runner.logger.info(_line(scalars, [n for n in names if f'local/loss/{n}' in scalars]))


def describe(model: LocalImageClassifier) -> str:
    """Describe the plan, with the parameters of the classifier and the auxiliary networks."""
    lines = [f'Local plan: {model.plan}']
    auxiliary = 0
    for entry in model.plan.layers:
        if entry.auxiliary is not None:
            auxiliary += sum(p.numel() for p in
                             model.auxiliary[auxiliary_key(entry.name)].parameters())
    inference = sum(parameter.numel() for parameter in model.parameters()) - auxiliary
    lines.append(f'Parameters: {inference:,} of the classifier, {auxiliary:,} of auxiliary '
                 'networks (training only)')
    return '\n'.join(lines)


def _line(scalars: dict[str, float], names: list[str]) -> str:
    """Show loss and top-1 of at most six layers, evenly spread and including the last."""
    if len(names) > SHOWN:
        names = [names[round(i * (len(names) - 1) / (SHOWN - 1))] for i in range(SHOWN)]
    parts = []
    for name in names:
        accuracy = scalars.get(f'local/accuracy/{name}')
        shown = '' if accuracy is None else f' ({accuracy:.1f} %)'
        parts.append(f'{name} {scalars[f"local/loss/{name}"]:.4f}{shown}')
    return 'Local losses (top-1):  ' + '  '.join(parts)


def _local_model(runner: Runner) -> LocalImageClassifier:
    model = runner.model.module if is_model_wrapper(runner.model) else runner.model
    if not isinstance(model, LocalImageClassifier):
        raise TypeError('AuxiliaryHeadHook observes a LocalImageClassifier, got '
                        f'{type(model).__name__}; remove the hook from custom_hooks or set '
                        "model.type='auglocal_mm.LocalImageClassifier'")
    return model


def _check_batch_size(runner: Runner, model: LocalImageClassifier) -> None:
    loader = runner.train_dataloader
    size = getattr(loader, 'batch_size', None)
    # An infinite sampler never runs out: every batch is full.
    if size is not None and not loader.drop_last and not isinstance(
            loader.sampler, InfiniteSampler):
        model.check_batch_size(size, images=len(loader.sampler))
    else:
        model.check_batch_size(size)
