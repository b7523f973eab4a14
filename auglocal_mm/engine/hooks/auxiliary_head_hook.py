"""Shows the auxiliary networks and how well each module learns."""
from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

from mmengine.dataset import InfiniteSampler
from mmengine.hooks import Hook, LoggerHook
from mmengine.model import is_model_wrapper
from mmengine.runner import Runner

from auglocal_mm.models import LocalTraining
from auglocal_mm.registry import HOOKS
from auglocal_mm.validation import Faults, check_int

from .running_means import RunningMeans

SHOWN = 6
MAX_INTERVAL = 1_000_000_000


@HOOKS.register_module()
class AuxiliaryHeadHook(Hook):
    """Logs each module's loss and scores; observes, never trains.

    Every row that the runner's ``LoggerHook`` writes during training, to
    ``scalars.json`` and all visualizer backends, also holds ``local/loss/<unit>`` and the
    task's scores, such as ``local/accuracy/<unit>`` (percent, on training batches), by the
    name of the unit at the module's end: means since the row
    before. The hook writes no rows of its own. Values are the logging rank's own, as in
    mmengine.

    Call order: ``before_train`` checks the batch size against the plan, logs the plan
    once, and from then on completes what the runner's log processor returns.
    ``after_train_iter`` sums on the device; once per interval it prints one line.
    ``after_train`` leaves the log processor as it was.

    Args:
        interval: Iterations between two lines; ``None`` for the interval of
            the runner's ``LoggerHook``.

    Raises:
        TypeError: The model is not trained locally.
        ValueError: The interval is impossible, or a batch of one image would meet a
            BatchNorm1d.
    """

    priority = 'NORMAL'

    def __init__(self, interval: int | None = None) -> None:
        faults = Faults('AuxiliaryHeadHook')
        check_int(faults, 'interval', interval, 1, MAX_INTERVAL, optional=True)
        faults.raise_if_any()
        self.interval = interval
        self._line_means = RunningMeans()
        self._row_means = RunningMeans()
        self._restore: Callable[[], None] | None = None

    def before_train(self, runner: Runner) -> None:
        """Check the batch size and log the plan."""
        model = _local_model(runner)
        _check_batch_size(runner, model)
        runner.logger.info(describe(model))
        if self.interval is None:
            self.interval = next((hook.interval for hook in runner.hooks
                                  if isinstance(hook, LoggerHook)), 10)
        self._complete_rows(runner.log_processor)

    def after_train(self, runner: Runner) -> None:
        """Leave the log processor as it was."""
        if self._restore is not None:
            self._restore()
            self._restore = None

    def _complete_rows(self, processor: Any) -> None:
        """Add the local values to each row that the log processor makes in training."""
        original = processor.get_log_after_iter

        @functools.wraps(original)
        def with_local_values(runner: Runner, batch_idx: int, mode: str) -> tuple[dict, str]:
            row, line = original(runner, batch_idx, mode)
            if mode == 'train':
                row = _Row(row)
                row.update(self._row_means.take())
            return row, line

        before = dict(vars(processor))
        processor.get_log_after_iter = with_local_values

        def restore() -> None:
            del processor.get_log_after_iter
            if 'get_log_after_iter' in before:
                processor.get_log_after_iter = original
        self._restore = restore

    def after_train_iter(self, runner: Runner, batch_idx: int, data_batch: Any = None,
                         outputs: dict | None = None) -> None:
        """Add up this step's values; print a line once per interval."""
        metrics = _local_model(runner).local_metrics
        values = {f'local/{kind}/{name}': value
                  for kind, of_kind in (('loss', metrics.losses), *metrics.scores.items())
                  for name, value in of_kind.items()}
        self._line_means.add(values)
        self._row_means.add(values)
        if self.every_n_inner_iters(batch_idx, self.interval) or self.end_of_epoch(
                runner.train_dataloader, batch_idx):
            means = self._line_means.take()
            names = [name for name in metrics.names if f'local/loss/{name}' in means]
            if names:
                runner.logger.info(_line(means, names))


class _Row(dict):
    """A row for the visualizer backends, in which local values come last.

    mmdet's plots ignore what comes after a name with a slash, and ``LocalVisBackend``
    adds the step to a finished row.
    """

    def setdefault(self, key: str, default: Any = None) -> Any:
        """Insert a missing key before the local values."""
        if key not in self:
            local = {name: self.pop(name) for name in list(self) if name.startswith('local/')}
            self[key] = default
            self.update(local)
        return self[key]


def describe(model: LocalTraining) -> str:
    """Describe the plan, with the parameters of the model and the auxiliary networks."""
    lines = [f'Local plan: {model.plan}']
    auxiliary = sum(parameter.numel() for parameter in model.auxiliary.parameters())
    inference = sum(parameter.numel() for parameter in model.parameters()) - auxiliary
    lines.append(f'Parameters: {inference:,} of the model, {auxiliary:,} of auxiliary '
                 'networks (training only)')
    return '\n'.join(lines)


def _line(scalars: dict[str, float], names: list[str]) -> str:
    """Show loss, and top-1 if there is any, of at most six modules, evenly spread."""
    if len(names) > SHOWN:
        names = [names[round(i * (len(names) - 1) / (SHOWN - 1))] for i in range(SHOWN)]
    parts = []
    for name in names:
        accuracy = scalars.get(f'local/accuracy/{name}')
        shown = '' if accuracy is None else f' ({accuracy:.1f} %)'
        parts.append(f'{name} {scalars[f"local/loss/{name}"]:.4f}{shown}')
    scored = any(f'local/accuracy/{name}' in scalars for name in names)
    return f'Local losses{" (top-1)" if scored else ""}:  ' + '  '.join(parts)


def _local_model(runner: Runner) -> LocalTraining:
    model = runner.model.module if is_model_wrapper(runner.model) else runner.model
    if not isinstance(model, LocalTraining):
        raise TypeError('AuxiliaryHeadHook observes a LocalImageClassifier or a LocalDetector, got '
                        f'{type(model).__name__}; remove the hook from custom_hooks or set '
                        "model.type='auglocal_mm.LocalImageClassifier'")
    return model


def _check_batch_size(runner: Runner, model: LocalTraining) -> None:
    loader = runner.train_dataloader
    size = getattr(loader, 'batch_size', None)
    # An infinite sampler never runs out: every batch is full.
    if size is not None and not loader.drop_last and not isinstance(
            loader.sampler, InfiniteSampler):
        model.check_batch_size(size, images=len(loader.sampler))
    else:
        model.check_batch_size(size)
