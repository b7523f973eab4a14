"""A runner whose rank never holds more of a model than it trains."""
from __future__ import annotations

import copy
from contextlib import AbstractContextManager, nullcontext
from typing import Any

import torch.distributed as dist
from mmengine.config import Config
from mmengine.registry import MODEL_WRAPPERS, RUNNERS
from mmengine.runner import Runner
from torch import nn

from auglocal_mm.config.named import class_of, means
from auglocal_mm.engine.pipeline_parallel import LocalPipelineParallel

from .build import build_share, initialise_share
from .share import Share


def trains_a_share(cfg: Config) -> bool:
    """Tell whether a config asks for a pipeline whose ranks build their own stages alone."""
    wrapper, scope = cfg.get('model_wrapper_cfg') or {}, cfg.get('default_scope')
    # A runner of somebody's own may do anything with its model; it gets a whole one.
    plain = class_of(cfg.get('runner_type', Runner), RUNNERS, scope=scope) is Runner
    return plain and wrapper.get('build', 'stage') == 'stage' and means(
        wrapper.get('type'), LocalPipelineParallel, MODEL_WRAPPERS, scope=scope)


class StageRunner(Runner):
    """mmengine's runner for :class:`LocalPipelineParallel`: it builds and prepares a stage.

    Everything from the construction to the first step runs inside the mode in which large
    weights of other stages are hollow.
    """

    _share: Share | None = None

    def build_model(self, model: Any) -> nn.Module:
        """Build the model, and of other stages no more than shapes."""
        stages = self._stages()
        if stages is None or isinstance(model, nn.Module):
            return super().build_model(model)
        # A copy for each construction: some classes take their settings out of the config.
        built, self._share = build_share(
            lambda: super(StageRunner, self).build_model(copy.deepcopy(model)), stages=stages)
        return built

    def _stages(self) -> int | None:
        """Return the number of stages if there are several and the wrapper will accept it."""
        if not dist.is_initialized():
            return None
        world = dist.get_world_size()
        stages = self.cfg.model_wrapper_cfg.get('stages')
        stages = world if stages is None else stages
        fits = type(stages) is int and 1 < stages <= world and world % stages == 0
        return stages if fits else None

    def wrap_model(self, model_wrapper_cfg: Any, model: nn.Module) -> Any:
        """Wrap it."""
        if self._share is None:
            return super().wrap_model(model_wrapper_cfg, model)
        with self.preparing():
            return super().wrap_model({**model_wrapper_cfg, 'share': self._share}, model)

    def preparing(self) -> AbstractContextManager[Any]:
        """Return the mode inside which anything before the training may look at the model."""
        return nullcontext() if self._share is None else self._share.hollow

    def _init_model_weights(self) -> None:
        if self._share is None:
            super()._init_model_weights()
        else:
            # mmengine would send the first rank's weights to all others.
            initialise_share(self.model.module, self._share)

    def train(self) -> nn.Module:
        """Train; the model is prepared inside the mode, which ends when the pipeline begins."""
        if self._share is None:
            return super().train()
        self._share.hollow.__enter__()
        try:
            return super().train()
        finally:
            self._share.hollow.leave()
