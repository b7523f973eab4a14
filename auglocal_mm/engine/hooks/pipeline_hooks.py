"""Weights of a pipeline's stages: apart while they train, whole where others need them."""
from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from mmengine.hooks import EMAHook, Hook
from mmengine.model import BaseAveragedModel
from mmengine.runner import Runner

from auglocal_mm.engine.pipeline_parallel import (
    LocalPipelineParallel,
    require_exact,
    require_own_gradients,
)


def pipeline_of(runner: Runner) -> LocalPipelineParallel | None:
    """Return the runner's model if it is a pipeline of several stages."""
    model = runner.model
    return model if isinstance(model, LocalPipelineParallel) and model.stages > 1 else None


@contextmanager
def whole_weights(runner: Runner) -> Iterator[None]:
    """Have all weights on every rank, and the optimizer's state on rank 0, inside the block.

    All ranks enter it after the same iteration.
    """
    pipeline = pipeline_of(runner)
    if pipeline is None:
        yield
        return
    optimizer: Any = runner.optim_wrapper.optimizer
    pipeline.weights.fill()
    if pipeline.replica == 0:
        pipeline.weights.fetch_state(optimizer, pipeline.stages - 1)
    try:
        yield
    finally:
        if pipeline.running:
            pipeline.weights.drop_state(optimizer)
            pipeline.weights.empty()


def _only_averages(hook: Any) -> bool:
    """Tell whether a hook writes to its average by ``update_parameters`` alone.

    Until an average begins, ``EMAHook`` copies all of the model into it instead.
    """
    return (isinstance(hook, EMAHook) and hook.begin_epoch == hook.begin_iter == 0
            and type(hook).after_train_iter is EMAHook.after_train_iter
            and type(hook.ema_model).update_parameters is BaseAveragedModel.update_parameters)


class SplitWeights(Hook):
    """Empties weights of other stages when training begins and after each validation."""

    priority = 'LOWEST'

    def before_run(self, runner: Runner) -> None:
        """Refuse an optimizer wrapper that cannot be exact, before anything is loaded."""
        pipeline = pipeline_of(runner)
        if pipeline is not None:
            require_exact(runner.optim_wrapper, pipeline.stages)
            require_own_gradients(runner.optim_wrapper)

    def before_train(self, runner: Runner) -> None:
        """Let go of what other stages train, once everything has been loaded."""
        pipeline = pipeline_of(runner)
        if pipeline is None:
            return
        for hook in runner.hooks:
            if hasattr(hook, 'ema_model'):
                pipeline.weights.follow(hook.ema_model, apart=_only_averages(hook))
        pipeline.weights.drop_state(runner.optim_wrapper.optimizer)
        pipeline.begin()

    def after_val_epoch(self, runner: Runner, metrics: dict[str, float] | None = None) -> None:
        """Let go of them again."""
        pipeline = pipeline_of(runner)
        if pipeline is not None and pipeline.running:
            pipeline.weights.empty()


class JoinWeights(Hook):
    """Fetches all weights before each validation and at the end."""

    priority = 'VERY_HIGH'

    def before_val_epoch(self, runner: Runner) -> None:
        """Fetch them: every rank validates images of its own on the whole model."""
        pipeline = pipeline_of(runner)
        if pipeline is not None:
            pipeline.weights.fill()

    def after_train(self, runner: Runner) -> None:
        """End the pipeline, and leave the whole model on every rank."""
        pipeline = pipeline_of(runner)
        if pipeline is not None:
            pipeline.finish()
            pipeline.weights.fill()
            pipeline.weights.fetch_state(runner.optim_wrapper.optimizer, pipeline.stages - 1)
