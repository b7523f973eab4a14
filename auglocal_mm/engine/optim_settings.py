"""Settings of the optimizer wrapper, checked when it is built."""
from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import torch
from torch.optim import Optimizer

from auglocal_mm.validation import (
    Faults,
    check_bool,
    check_choice,
    check_int,
    check_keys,
    check_number,
    is_number,
    is_one_of,
    shown,
)

from .module_steps import updates_apart

DTYPES = {'float16': torch.float16, 'bfloat16': torch.bfloat16}
#: torch keeps the scale in float32, whose range ends at 2**128.
MAX_LOSS_SCALE = 2.0**64
MAX_COUNTS = 1_000_000
_CLIP_KEYS = {'norm': ('max_norm', 'norm_type', 'error_if_nonfinite', 'foreach', 'per_module'),
              'value': ('clip_value', 'foreach')}
_SCALER_KEYS = ('init_scale', 'growth_factor', 'backoff_factor', 'growth_interval')


def check_precision(faults: Faults, dtype: Any, loss_scale: Any) -> None:
    """Check ``dtype`` and ``loss_scale`` of ``AugLocalOptimWrapper``."""
    faults.add_unless(
        dtype is None or is_one_of(dtype, (*DTYPES, *DTYPES.values())),
        f'dtype must be None, {" or ".join(map(repr, DTYPES))}, got {shown(dtype)}')
    if loss_scale is None:
        return
    faults.add_unless(
        is_one_of(dtype, ('float16', torch.float16)),
        f'loss_scale is for dtype float16 only, got {shown(loss_scale)} with {shown(dtype)}; '
        'leave it out')
    if isinstance(loss_scale, Mapping):
        _check_scaler(faults, loss_scale)
    elif is_number(loss_scale) or isinstance(loss_scale, float):  # also inf and nan
        check_number(faults, 'loss_scale', loss_scale, 0, MAX_LOSS_SCALE, above=True)
    else:
        faults.add_unless(is_one_of(loss_scale, ('dynamic',)), "loss_scale must be 'dynamic', a "
                          f'number or a dict, got {shown(loss_scale)}')


def _check_scaler(faults: Faults, settings: Mapping[str, Any]) -> None:
    check_keys(faults, settings, _SCALER_KEYS, place='loss_scale')
    for key, low, high in (('init_scale', 0, MAX_LOSS_SCALE), ('growth_factor', 1, 2.0**16)):
        if key in settings:
            check_number(faults, f'loss_scale.{key}', settings[key], low, high, above=True)
    if 'backoff_factor' in settings:
        factor = settings['backoff_factor']
        faults.add_unless(is_number(factor) and 0 < factor < 1, 'loss_scale.backoff_factor must '
                          f'be a number above 0 and below 1, got {shown(factor)}')
    if 'growth_interval' in settings:
        check_int(faults, 'loss_scale.growth_interval', settings['growth_interval'], 1, 10**9)


def check_counts(faults: Faults, counts: Any) -> None:
    """Check ``accumulative_counts``, training steps per optimizer step."""
    check_int(faults, 'accumulative_counts', counts, 1, MAX_COUNTS)


def check_clipping(faults: Faults, clip_grad: Any) -> None:
    """Check ``clip_grad``, the arguments of one of torch's two clipping functions.

    ``per_module`` is ours: each module's gradients are clipped by their own norm.
    """
    if clip_grad is None:
        return
    if not isinstance(clip_grad, Mapping):
        faults.add_unless(False, 'clip_grad must be None or a dict such as dict(max_norm=1.0), '
                                 f'got {shown(clip_grad)}')
        return
    kind = clip_grad.get('type', 'norm')
    if not is_one_of(kind, tuple(_CLIP_KEYS)):
        check_choice(faults, 'clip_grad.type', kind, tuple(_CLIP_KEYS))
        return
    check_keys(faults, clip_grad, ('type', *_CLIP_KEYS[kind]), place='clip_grad')
    bound = _CLIP_KEYS[kind][0]
    faults.add_unless(bound in clip_grad, f'clip_grad must have the key {bound!r}, got '
                                          f'{shown(dict(clip_grad))}')
    if bound in clip_grad:
        check_number(faults, f'clip_grad.{bound}', clip_grad[bound], 0, 1e30, above=True)
    norm_type = clip_grad.get('norm_type', 2)
    faults.add_unless(
        (is_number(norm_type) and 0 < norm_type <= 100) or (
            isinstance(norm_type, float) and norm_type == math.inf),
        'clip_grad.norm_type must be a number above 0 and at most 100, or inf, got '
        f'{shown(norm_type)}')
    check_bool(faults, 'clip_grad.error_if_nonfinite', clip_grad.get('error_if_nonfinite', False))
    check_bool(faults, 'clip_grad.per_module', clip_grad.get('per_module', False))
    check_choice(faults, 'clip_grad.foreach', clip_grad.get('foreach'), (None, True, False))


def check_module_steps(faults: Faults, step_per_module: Any, optimizer: Optimizer,
                       others: Mapping[str, Any]) -> None:
    """Check ``step_per_module`` against the optimizer and the other settings."""
    check_bool(faults, 'step_per_module', step_per_module)
    if step_per_module is not True:
        return
    counts, clip = others.get('accumulative_counts', 1), others.get('clip_grad')
    faults.add_unless(
        counts == 1, 'step_per_module=True frees gradients in every step, so it needs '
        f'accumulative_counts=1, got {shown(counts)}; leave one of them out')
    by_norm = isinstance(clip, Mapping) and clip.get('type', 'norm') == 'norm'
    faults.add_unless(
        not by_norm or clip.get('per_module') is True,  # type: ignore[union-attr]
        'step_per_module=True never has all gradients together, so it cannot clip by their norm, '
        f'got clip_grad={shown(clip)}; add per_module=True to clip each module by its own norm, or '
        'leave one of them out')
    faults.add_unless(
        updates_apart(optimizer),
        'step_per_module=True needs an optimizer that can step its parameters one after another, '
        f'such as SGD, Adam or AdamW; {type(optimizer).__name__} needs a closure, counts its own '
        'steps, or looks at all parameters together. Leave step_per_module out')
