"""Ways of training on several ranks, as a benchmark runs them: equal images per step in each."""
from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any, Protocol

import torch
import torch.distributed as dist
from mmengine.config import Config
from mmengine.optim import build_optim_wrapper
from mmengine.registry import MODELS, DefaultScope
from torch import Tensor, nn
from torch.distributed.pipelining import PipelineStage, Schedule1F1B, ScheduleGPipe
from torch.nn.parallel import DistributedDataParallel

from auglocal_mm.config.parts import with_preprocessor
from auglocal_mm.engine import LocalDistributedDataParallel, LocalPipelineParallel
from auglocal_mm.lab.measure.benchmark.classifiers import Classifiers
from auglocal_mm.lab.measure.preparing_hooks import prepare
from auglocal_mm.partition import Unit, partition
from auglocal_mm.plan import Event, even_modules

from .names import MICRO_BATCHES


class Strategy(Protocol):
    """One way of training, on one rank."""

    def step(self) -> None:
        """Train on one batch."""
        ...

    def finish(self) -> None:
        """Wait until this rank's part of all steps is done."""
        ...

    def close(self) -> None:
        """End the training; most strategies need nothing for it."""
        return


class Local(Strategy):
    """Local learning: on one rank, data parallel, or a pipeline.

    Args:
        cfg: A config of a local classifier.
        size: Images per step, of all ranks together.
        wrap: Wraps the model; ``None`` for one rank.
        shares: Between how many ranks a batch is divided.
    """

    def __init__(self, cfg: Config, size: int, *, wrap: Callable[[nn.Module], Any] | None = None,
                 shares: int = 1) -> None:
        model = classifier(cfg)
        self._model = model if wrap is None else wrap(model)
        if isinstance(self._model, LocalPipelineParallel):
            self._model.begin()
        self._wrapper = optim_wrapper_of(cfg, model)
        self._batch = batch_of(cfg, model, size // shares)

    def step(self) -> None:
        """Train on one batch."""
        self._model.train_step(self._batch, self._wrapper)

    def finish(self) -> None:
        """Wait until what this rank has sent has left."""
        if isinstance(self._model, LocalPipelineParallel):
            self._model.flush()

    def close(self) -> None:
        """End the pipeline, and with it the thread that listens."""
        if isinstance(self._model, LocalPipelineParallel):
            self._model.finish()

    def traced(self, steps: int) -> list[Event]:
        """Train some steps; return what this rank did and when, if it is part of a pipeline."""
        if not isinstance(self._model, LocalPipelineParallel):
            return []
        self._model.trace = []
        for _ in range(steps):
            self.step()
        self.finish()
        events, self._model.trace = self._model.trace, None
        return events


class DataParallelBackprop(Strategy):
    """Back-propagation under torch's data parallel, or on one rank.

    Args:
        cfg: A config of a classifier trained by BP.
        size: Images per step, of all ranks together.
        shares: Between how many ranks a batch is divided.
        synchronise: Whether gradients are averaged.
    """

    def __init__(self, cfg: Config, size: int, *, shares: int = 1,
                 synchronise: bool = True) -> None:
        model = classifier(cfg)
        self._model = PlainLoss(model)
        self._trained = (DistributedDataParallel(self._model) if shares > 1 and synchronise
                         else self._model)
        self._optimizer = optim_wrapper_of(cfg, model).optimizer
        self._images, self._labels = tensors_of(cfg, model, size // shares)

    def step(self) -> None:
        """Train on one batch."""
        self._trained(self._images, self._labels).backward()
        self._optimizer.step()
        self._optimizer.zero_grad()

    def finish(self) -> None:
        """Nothing is left over."""


class PlainLoss(nn.Module):
    """A classifier and its cross entropy in one forward pass."""

    def __init__(self, model: Any) -> None:
        super().__init__()
        self.model = model

    def forward(self, images: Tensor, labels: Tensor) -> Tensor:
        """Return the loss."""
        model = self.model
        logits = model.head(model.neck(model.backbone(images)))
        return nn.functional.cross_entropy(logits, labels)


class BackpropPipeline(Strategy):
    """Back-propagation in torch's own pipeline.

    Args:
        cfg: A config of a classifier trained by BP.
        size: Images per step.
        schedule: ``ScheduleGPipe`` or ``Schedule1F1B``.
    """

    def __init__(self, cfg: Config, size: int, schedule: Any) -> None:
        model = classifier(cfg)
        rank, ranks = dist.get_rank(), dist.get_world_size()
        units = partition(model.backbone)
        owners = even_modules(len(units), ranks)
        own = [unit for unit, owner in zip(units, owners, strict=True) if owner == rank]
        part = StagePart(model, own, with_head=rank == ranks - 1)
        self._first, self._last = rank == 0, rank == ranks - 1
        self._images, self._labels = tensors_of(cfg, model, size)
        self._schedule = schedule(
            PipelineStage(part, rank, ranks, torch.device('cpu')), MICRO_BATCHES,
            loss_fn=nn.functional.cross_entropy)
        # Other stages' parameters get no gradient, and are left alone.
        self._optimizer = optim_wrapper_of(cfg, model).optimizer

    def step(self) -> None:
        """Train on one batch."""
        inputs = [self._images] if self._first else []
        targets = {'target': self._labels} if self._last else {}
        self._schedule.step(*inputs, **targets)
        self._optimizer.step()
        self._optimizer.zero_grad()

    def finish(self) -> None:
        """Nothing is left over: a pipeline of BP drains in each step."""


class StagePart(nn.Module):
    """Units of a backbone, the last ones with neck and head."""

    def __init__(self, model: Any, units: list[Unit], *, with_head: bool) -> None:
        super().__init__()
        self.model = model
        self._units = units
        self._with_head = with_head

    def forward(self, features: Tensor) -> Tensor:
        """Return features, or logits in the last stage."""
        x: Any = features
        for unit in self._units:
            x = unit.forward(self.model.backbone, x)
        if self._with_head:
            outputs = tuple(output(self.model.backbone, x)
                            for output in self._units[-1].outputs)
            return self.model.head(self.model.neck(outputs))
        return x


def classifier(cfg: Config) -> Any:
    """Build a config's classifier in training mode, as its hooks have it compute."""
    torch.manual_seed(0)
    with DefaultScope.overwrite_default_scope(cfg.get('default_scope', 'mmpretrain')):
        model = MODELS.build(copy.deepcopy(with_preprocessor(cfg)))
    model.init_weights()
    prepare(cfg, model)
    model.train()
    return model


def optim_wrapper_of(cfg: Config, model: nn.Module) -> Any:
    """Build a config's optimizer wrapper, with updates that change nothing.

    They take as long as others. Hundreds of real ones on the same random labels would diverge.
    """
    wrapper = build_optim_wrapper(model, copy.deepcopy(cfg.optim_wrapper))
    for group in wrapper.param_groups:
        group['lr'] = 0.0
    return wrapper


def batch_of(cfg: Config, model: Any, size: int) -> Any:
    """Return a batch of random images and labels, as a data loader yields it."""
    kind = Classifiers()
    return kind.batch(model, size=size, shape=kind.shape(cfg, None))


def tensors_of(cfg: Config, model: Any, size: int) -> tuple[Tensor, Tensor]:
    """Return the same batch as preprocessed images and labels."""
    data = model.data_preprocessor(batch_of(cfg, model, size), True)
    return data['inputs'], torch.cat([sample.gt_label for sample in data['data_samples']])


#: Strategy -> how it is built from (local config, BP config, images, ranks).
STRATEGIES: dict[str, Callable[[Config, Config, int, int], Strategy]] = {
    'local, one rank': lambda local, bp, size, ranks: Local(local, size),
    'local pipeline': lambda local, bp, size, ranks: Local(
        local, size, wrap=LocalPipelineParallel),
    'local data parallel': lambda local, bp, size, ranks: Local(
        local, size, wrap=LocalDistributedDataParallel, shares=ranks),
    'local, no averages': lambda local, bp, size, ranks: Local(local, size, shares=ranks),
    'BP, one rank': lambda local, bp, size, ranks: DataParallelBackprop(bp, size),
    'BP data parallel': lambda local, bp, size, ranks: DataParallelBackprop(
        bp, size, shares=ranks),
    'BP, no averages': lambda local, bp, size, ranks: DataParallelBackprop(
        bp, size, shares=ranks, synchronise=False),
    'BP GPipe': lambda local, bp, size, ranks: BackpropPipeline(bp, size, ScheduleGPipe),
    'BP 1F1B': lambda local, bp, size, ranks: BackpropPipeline(bp, size, Schedule1F1B),
}
