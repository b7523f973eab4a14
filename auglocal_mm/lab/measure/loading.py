"""Whether data loading keeps up with training: seconds of each, batch by batch."""
from __future__ import annotations

import copy
import statistics
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from itertools import cycle, islice
from typing import Any

import torch
from mmengine.optim import build_optim_wrapper
from mmengine.registry import DefaultScope
from mmengine.runner import Runner

from auglocal_mm.config.parts import with_preprocessor
from auglocal_mm.datasets.check import check_data
from auglocal_mm.engine.launch import load_config
from auglocal_mm.lab.pages.text_table import plain_table

from .config_model import build_model
from .preparing_hooks import prepare


@dataclass(frozen=True, kw_only=True)
class LoadingCost:
    """What one batch costs the loader, and what it costs the training step.

    Attributes:
        batch_size: Images in a batch.
        workers: Processes that load; 0 if the training process does.
        loading_seconds: Mean time that the loader needs for a batch if nobody trains meanwhile.
        step_seconds: Median time of a training step.
        batches: Number of batches timed.
    """
    batch_size: int
    workers: int
    loading_seconds: float
    step_seconds: float
    batches: int

    def to_dict(self) -> dict[str, float]:
        """Return it as plain values, with both rates in images per second."""
        return {**asdict(self), 'loaded_per_second': self.batch_size / self.loading_seconds,
                'trained_per_second': self.batch_size / self.step_seconds}

    def __str__(self) -> str:
        values = self.to_dict()
        return plain_table([
            [name, f'{values[f"{key}_seconds"]:.4f}', f'{values[f"{done}_per_second"]:,.0f}']
            for name, key, done in ((f'loading, {self.workers} workers', 'loading', 'loaded'),
                                    ('training step', 'step', 'trained'))],
            header=['', f'seconds per batch of {self.batch_size}', 'images per second'],
            right=(1, 2))


def loading_cost(path: str, cfg_options: dict | None = None, *, batches: int = 20) -> LoadingCost:
    """Time a config's training loader by itself, and training steps on what it yields.

    Hooks that prepare either take effect: ``DeviceAugmentHook`` and ``ChannelsLastHook``.

    Args:
        path: A whole training config; its data must be there.
        cfg_options: Settings that override it.
        batches: Number of batches to time; as many steps are timed.

    Raises:
        FileNotFoundError, MissingDataError: There is no such config, or its data are missing.
    """
    cfg = load_config(path, cfg_options=cfg_options)
    check_data(cfg, splits=('train',))
    cfg.model = with_preprocessor(cfg)
    torch.manual_seed(0)
    model = build_model(cfg, path)
    model.init_weights()
    model.train()
    model.to('cuda' if torch.cuda.is_available() else 'cpu')
    with DefaultScope.overwrite_default_scope(cfg.get('default_scope', 'mmpretrain')):
        loader = Runner.build_dataloader(cfg.train_dataloader, seed=0)
        prepare(cfg, model, loader)
        wrapper = build_optim_wrapper(model, cfg.optim_wrapper)
        seconds, kept = _load(loader, batches)
        # The first one allocates what the others use.
        steps = [_step(model, wrapper, batch) for batch in islice(cycle(kept), batches + 1)][1:]
    return LoadingCost(
        batch_size=loader.batch_size, workers=loader.num_workers, batches=batches,
        loading_seconds=seconds / batches, step_seconds=statistics.median(steps))


def _load(loader: Any, batches: int) -> tuple[float, list[Any]]:
    """Return the seconds of all batches, and a few of them.

    Batches before them are left out: with workers, they wait for the start of the processes.
    """
    stream = _forever(loader)
    kept = list(islice(stream, 3 + loader.num_workers * (loader.prefetch_factor or 0)))
    # Together, because workers deliver in bursts.
    start = time.perf_counter()
    for _ in islice(stream, batches):
        pass
    return time.perf_counter() - start, kept[:3]


def _forever(loader: Any) -> Iterator[Any]:
    while True:
        yield from loader


def _step(model: Any, wrapper: Any, batch: Any) -> float:
    batch = copy.deepcopy(batch)  # a preprocessor changes its samples
    start = time.perf_counter()
    log = model.train_step(batch, wrapper)
    float(log['loss'])  # waits for the device
    return time.perf_counter() - start
