"""The costs of a config's modules: timed on this machine."""
from __future__ import annotations

import logging
import statistics
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace

import torch

from auglocal_mm.execution import Listener, LocalOptimizer, ModuleDone, Order, StepBegin
from auglocal_mm.lab.measure.benchmark.entry import Entry
from auglocal_mm.lab.measure.benchmark.settings import Settings
from auglocal_mm.lab.measure.benchmark.subject import TrainingSubject
from auglocal_mm.lab.measure.system import accelerator, cpu_model

from .costs import ModelCosts


class _Clock(Listener):
    """Notes how long each module of the latest step took, and the update at its end."""

    order = Order.RECORD

    def __init__(self, device: str) -> None:
        self.modules: list[float] = []
        self.update = 0.0
        self._device = device
        self._last = 0.0

    def _lap(self) -> float:
        if self._device != 'cpu':
            torch.cuda.synchronize(self._device)
        last, self._last = self._last, time.perf_counter()
        return self._last - last

    def begin_step(self, event: StepBegin) -> None:
        self.modules = []
        self._lap()

    def after_module(self, event: ModuleDone) -> None:
        self.modules.append(self._lap())

    def before_update(self) -> None:
        self._lap()

    def end_step(self) -> None:
        self.update = self._lap()


class _Timed(TrainingSubject):
    """A training step whose modules are timed."""

    def times(self, settings: Settings) -> tuple[list[float], float]:
        """Return the median seconds of each module, and of the update."""
        if not isinstance(self._optim_wrapper, LocalOptimizer):
            raise ValueError("modules are timed one by one only if optim_wrapper.type is "
                             f"'auglocal_mm.AugLocalOptimWrapper', got "
                             f'{type(self._optim_wrapper).__name__}')
        clock = _Clock(settings.device)
        rounds = []
        with self._model.listeners.also(clock):
            for _ in range(settings.warmup + settings.rounds):
                self.whole_step()
                rounds.append([*clock.modules, clock.update])
        *modules, update = (statistics.median(each) for each in zip(
            *rounds[settings.warmup:], strict=True))
        return modules, update


def measured_costs(config: str, settings: Settings, counted: ModelCosts) -> ModelCosts:
    """Replace counted seconds by the medians of timed training steps on random images.

    The update's time is shared out by parameters. The part of back-propagation in a module's
    time is its part of the counted multiply-adds.

    Args:
        config: The config.
        settings: Sizes, device, threads and number of rounds.
        counted: The config's counted costs.

    Raises:
        ValueError: The config's optimizer wrapper does not run modules one by one.
    """
    with _without_notices():
        seconds, update = _Timed(Entry(config, config), settings).times(settings)
    trained = sum(module.parameter_bytes for module in counted.modules) or 1.0
    modules = []
    for module, measured in zip(counted.modules, seconds, strict=True):
        measured += update * module.parameter_bytes / trained
        factor = measured / module.seconds if module.seconds else 0.0
        modules.append(replace(module, seconds=measured, bp_forward=module.bp_forward * factor,
                               bp_backward=module.bp_backward * factor))
    where = cpu_model() if settings.on_cpu else accelerator()
    threads = f', {_threads(torch.get_num_threads())}' if settings.on_cpu else ''
    return replace(counted, modules=tuple(modules),
                   source=f'measured on {where}{threads}, medians of {settings.rounds} steps')


@contextmanager
def _without_notices() -> Iterator[None]:
    """Hide what mmengine logs about every weight that it initialises."""
    before = logging.root.manager.disable
    logging.disable(logging.INFO)
    try:
        yield
    finally:
        logging.disable(before)


def _threads(number: int) -> str:
    return f'{number} thread{"" if number == 1 else "s"}'
