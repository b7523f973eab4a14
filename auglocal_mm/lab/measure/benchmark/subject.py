"""A measured subject: a model, its optimizer and one synthetic batch in its own process."""
from __future__ import annotations

import copy
import statistics
import time
from contextlib import AbstractContextManager, suppress
from pathlib import Path
from typing import Any

import torch
from mmengine.config import Config
from mmengine.optim import AmpOptimWrapper, build_optim_wrapper
from mmengine.registry import DefaultScope
from mmengine.runner import set_random_seed

from auglocal_mm.config.parts import with_preprocessor
from auglocal_mm.config.walk import dicts_in
from auglocal_mm.engine.launch import load_config, use_mixed_precision
from auglocal_mm.lab.measure.config_model import build_model
from auglocal_mm.lab.measure.live_memory import live_peak
from auglocal_mm.lab.measure.live_series import MemoryLaw, live_series
from auglocal_mm.lab.measure.memory import BYTES_PER_MIB, saved_activations_mb
from auglocal_mm.lab.measure.preparing_hooks import prepare
from auglocal_mm.models import LocalTraining
from auglocal_mm.partition import image_channels

from .entry import Entry
from .model_kind import kind_of
from .rivals import RIVALS
from .settings import Settings


def config_of(entry: Entry, settings: Settings) -> Config:
    """Read the whole config that an entry is measured with.

    Raises:
        FileNotFoundError: There is no such config.
        ValueError: It is neither a classifier's nor a detector's, or does not state the size of
            its batch or images.
    """
    cfg = load_config(entry.config, cfg_options={**settings.options, **entry.options})
    for key in ('model', 'optim_wrapper', 'train_dataloader'):
        if cfg.get(key) is None:
            raise ValueError(f'{entry.config} has no {key}; give a whole training config')
    kind = kind_of(cfg, entry.config)
    if settings.batch_size is None and cfg.train_dataloader.get('batch_size') is None:
        raise ValueError(f'{entry.config} sets no train_dataloader.batch_size; '
                         'pass --batch-size')
    kind.shape(cfg, settings.shape)
    cfg.model = without_pretrained(with_preprocessor(cfg))
    return cfg


def without_pretrained(model: dict[str, Any]) -> dict[str, Any]:
    """Return a copy of a model's config that reads no weights; their values cost nothing."""
    model = copy.deepcopy(model)
    for _, part in dicts_in(model):
        init = part.get('init_cfg')
        inits = init if isinstance(init, (list, tuple)) else [init or {}]
        if any(each.get('type') == 'Pretrained' for each in inits):
            del part['init_cfg']  # type: ignore[attr-defined]
    return model


class TrainingSubject:
    """One config's training step on random images and labels, without data loading.

    The learning rate is 0, so every step does the same work, the weights do not change,
    and no step diverges.

    Args:
        entry: The config.
        settings: Sizes, device and precision.

    Raises:
        FileNotFoundError, TypeError, ValueError: The config cannot be trained this way.
    """

    def __init__(self, entry: Entry, settings: Settings) -> None:
        self._settings = settings
        # First, before anything of the model is in memory.
        self._idle_mb = resident_mb('VmRSS') if settings.on_cpu else 0.0
        if settings.threads is not None:
            torch.set_num_threads(settings.threads)
        if settings.device.startswith('cuda:'):
            torch.cuda.set_device(settings.device)
        cfg = config_of(entry, settings)
        # As mmengine's runner sets it.
        torch.backends.cudnn.benchmark = bool(cfg.get('env_cfg', {}).get('cudnn_benchmark'))
        if settings.amp:
            use_mixed_precision(cfg)
        self._kind = kind_of(cfg, entry.config)
        self._shape = self._kind.shape(cfg, settings.shape)
        self._batch_size = settings.batch_size or cfg.train_dataloader.batch_size
        self._scope = cfg.get('default_scope', 'mmpretrain')
        with self._in_scope():
            self._model = self._build(cfg, entry)
            self._optim_wrapper = build_optim_wrapper(self._model, cfg.optim_wrapper)
        for group in self._optim_wrapper.param_groups:
            group['lr'] = 0.0
        self._run = RIVALS[entry.rival](self._model, self._optim_wrapper)
        self._batch = self._kind.batch(self._model, size=self._batch_size, shape=self._shape)
        self._cpu_seconds: list[float] = []

    def _in_scope(self) -> AbstractContextManager:
        return DefaultScope.overwrite_default_scope(self._scope)

    def _build(self, cfg: Config, entry: Entry) -> Any:
        torch.manual_seed(0)
        model = build_model(cfg, entry.config)
        if isinstance(model, LocalTraining):
            model.check_batch_size(self._batch_size)
        # A second time, so that auxiliary networks do not change the weights of the others:
        # a detector's proposals depend on them, and its memory on the proposals.
        torch.manual_seed(0)
        model.init_weights()
        model.to(self._settings.device)
        prepare(cfg, model)
        model.train()
        return model

    def _new_batch(self) -> dict[str, Any]:
        # Preprocessors change the dict and the samples, but not the images.
        return {'inputs': self._batch['inputs'],
                'data_samples': copy.deepcopy(self._batch['data_samples'])}

    def _train_step(self, batch: dict[str, Any]) -> None:
        # Heads of detectors sample regions, on which the memory of a step depends.
        set_random_seed(0)
        with self._in_scope():
            self._run(batch)

    def whole_step(self) -> None:
        """Run one training step that nobody times."""
        self._train_step(self._new_batch())

    @property
    def _alive(self) -> dict[str, Any]:
        return dict(model=self._model, optimizers=self._run.optimizers,
                    batch=self._batch['inputs'])

    def step(self) -> float:
        """Run one training step and return its wall-clock seconds, including device work."""
        batch = self._new_batch()
        self._wait()
        start, cpu_start = time.perf_counter(), time.process_time()
        self._train_step(batch)
        self._wait()
        seconds = time.perf_counter() - start
        self._cpu_seconds.append(time.process_time() - cpu_start)
        return seconds

    def _wait(self) -> None:
        if not self._settings.on_cpu:
            torch.cuda.synchronize(self._settings.device)

    def begin(self) -> None:
        """Discard the warm-up, because the timed steps begin."""
        self._cpu_seconds.clear()
        if self._settings.on_cpu:
            forget_peak_resident()
        else:
            torch.cuda.reset_peak_memory_stats(self._settings.device)

    def measure(self) -> dict[str, Any]:
        """Measure the timed steps, then the memory of one more step of each kind, then costs."""
        # First, because the other measurements need memory of their own.
        peak = resident_mb('VmHWM') if self._settings.on_cpu else (
            torch.cuda.max_memory_allocated(self._settings.device) / BYTES_PER_MIB)
        saved = saved_activations_mb(self.whole_step, exclude=self._model)
        live = live_peak(self.whole_step, **self._alive)
        costs = self._kind.costs(self._model, self._shape)
        return dict(
            step_cpu_seconds=statistics.median(self._cpu_seconds),
            saved_activations_mb=saved,
            # On CUDA by the allocator, which sees the inside of operators as well.
            live_peak_mb=live.total_mb if self._settings.on_cpu else peak,
            live_parts_mb=live.parts_mb, made_peak_mb=live.made_mb, peak_memory_mb=peak,
            idle_memory_mb=self._idle_mb, params=costs.params,
            backbone_params=costs.backbone_params, auxiliary_params=costs.auxiliary_params,
            flops=costs.flops, backbone_flops=costs.backbone_flops, batch_size=self._batch_size,
            image=[image_channels(self._model.backbone), *self._shape],
            threads=torch.get_num_threads(), precision=self._precision(),
            device=self._settings.device, torch=torch.__version__)

    def memory_law(self) -> MemoryLaw:
        """Count what is alive in steps of 1, 2 and 3 times as many images."""
        self.whole_step()  # so that the optimizer's state exists
        series = []
        for times in (1, 2, 3):
            self._batch = self._kind.batch(self._model, size=times * self._batch_size,
                                           shape=self._shape)
            series.append(live_series(self.whole_step, **self._alive))
        return MemoryLaw.of(series, spacing=self._batch_size)

    @property
    def params(self) -> tuple[int, int]:
        """Number of parameters, and how many of them are those of auxiliary networks."""
        sizes = {name: each.numel() for name, each in self._model.named_parameters()}
        return sum(sizes.values()), sum(size for name, size in sizes.items()
                                        if name.startswith('auxiliary.'))

    def _precision(self) -> str:
        wrapper = self._optim_wrapper
        dtype = getattr(wrapper, 'dtype', getattr(wrapper, 'cast_dtype', None))
        if dtype is None:
            return 'float16' if isinstance(wrapper, AmpOptimWrapper) else 'float32'
        return str(dtype).removeprefix('torch.')


def resident_mb(field: str) -> float:
    """Return the resident memory of this process in mebibytes.

    Args:
        field: ``'VmRSS'`` for the current value, ``'VmHWM'`` for the peak so far.
            ``getrusage`` would report too much: a child inherits its parent's peak.

    Raises:
        OSError: The system is not Linux.
    """
    for line in Path('/proc/self/status').read_text(encoding='ascii').splitlines():
        if line.startswith(f'{field}:'):
            return int(line.split()[1]) / 1024
    raise OSError(f'no {field} in /proc/self/status; memory is measured on Linux only')


def forget_peak_resident() -> None:
    """Reset ``VmHWM``; if the system forbids it, the peak counts from the start."""
    # 5 asks the kernel to reset the peak of the resident memory.
    with suppress(OSError):
        Path('/proc/self/clear_refs').write_text('5', encoding='ascii')
