"""The costs of a config's modules: counted, and turned into seconds by a speed."""
from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from math import isfinite
from typing import Any

import torch
from mmengine.config import Config
from mmengine.registry import DefaultScope
from torch import nn

from auglocal_mm.execution import Carry
from auglocal_mm.execution.cost_counter import CostCounter
from auglocal_mm.lab.measure.benchmark.entry import Entry
from auglocal_mm.lab.measure.benchmark.model_kind import kind_of
from auglocal_mm.lab.measure.benchmark.settings import Settings
from auglocal_mm.lab.measure.benchmark.subject import config_of
from auglocal_mm.lab.measure.config_model import build_model, require_local
from auglocal_mm.models.counted_costs import IMAGES, CountedModel
from auglocal_mm.partition import image_channels
from auglocal_mm.plan import Cost, Costs, together

from .costs import ModelCosts, ModuleCost, config_name

#: Optimizer -> values that it keeps for each parameter; others are taken to keep as many as Adam.
_STATE = {'SGD': 1, 'Adam': 2, 'AdamW': 2}


@dataclass(frozen=True)
class _Counts:
    """Counts of one module for :data:`IMAGES` images."""
    local: Cost
    bp: Cost
    bp_kept: int
    boundary: int


def counted_costs(config: str, settings: Settings, speed: float) -> ModelCosts:
    """Count a config's modules on tensors without memory, and touch no data set.

    A backward pass is taken to cost two forward passes. All is in full precision, and nothing
    is recomputed.

    Args:
        config: The config.
        settings: Sizes of batch and images, and settings that override the config's.
        speed: Multiply-adds per second of a rank.

    Raises:
        FileNotFoundError: There is no such config.
        ValueError: The model is not trained locally, or cannot be counted; or the speed is
            impossible.
    """
    if not (isfinite(speed) and speed > 0):
        raise ValueError(f'--flops-per-second must be a finite number above 0, got {speed}')
    cfg, model, shape = local_model(config, settings)
    size = settings.batch_size or cfg.train_dataloader.batch_size
    plan, scale = model.plan, size / IMAGES
    modules = []
    for module, (name, count) in enumerate(zip(plan.module_names, _counts(model, shape),
                                               strict=True)):
        forward = 1 / 3 if count.bp.kept else 1.0
        bp_seconds = count.bp.flops * scale / speed
        trained = model.module_parameters(module)
        networks = {id(parameter) for loss in plan.spans[module].losses
                    for parameter in model.auxiliary[loss.key].parameters()}
        modules.append(ModuleCost(
            name=name, seconds=count.local.flops * scale / speed,
            bp_forward=bp_seconds * forward, bp_backward=bp_seconds * (1 - forward),
            boundary_bytes=count.boundary * scale, parameter_bytes=_bytes(trained),
            bp_parameter_bytes=_bytes([each for each in trained if id(each) not in networks]),
            kept_bytes=count.local.bytes * scale, bp_kept_bytes=count.bp_kept * scale,
            cut=plan.has_loss(module)))
    optimizer = cfg.optim_wrapper.get('optimizer') or {}
    return ModelCosts(
        modules=tuple(modules), batch_size=size, units=plan.units,
        depth=max((loss.auxiliary.depth for loss in plan.losses), default=0),
        copies=2 + _STATE.get(str(optimizer.get('type')), 2),
        source=f'counted, at {speed:.3g} multiply-adds per second', config=config_name(config))


def local_model(config: str, settings: Settings) -> tuple[Config, Any, tuple[int, int]]:
    """Build a config's model.

    Returns:
        The config, the model in training mode, and the height and width of its images.

    Raises:
        FileNotFoundError: There is no such config.
        ValueError: The model is not trained locally, or a size is missing.
    """
    cfg = config_of(Entry(config, config), settings)
    require_local(cfg, config)
    with DefaultScope.overwrite_default_scope(cfg.get('default_scope', 'mmpretrain')):
        return cfg, build_model(cfg, config).train(), kind_of(cfg, config).shape(
            cfg, settings.shape)


def _counts(model: Any, shape: tuple[int, int]) -> Iterator[_Counts]:
    counted = CountedModel(model, model.chain.units, shape=shape)
    costs = Costs(units=counted.units, head=counted.head(), outputs=counted.outputs)
    context = model.build_context(counted.model.backbone)
    held: frozenset[tuple[int, int]] = frozenset()
    for module, (span, boundary) in enumerate(zip(
            model.plan.spans, boundary_bytes(model, shape), strict=True)):
        own = model.plan.owned(module)
        bp = costs.module(own.start, own.stop)
        # What two modules keep together, such as the features between them, counts once.
        new = Cost(kept=bp.kept - held)
        held |= bp.kept
        local = together([costs.module(span.start, span.stop),
                          counted.networks(span.losses, context)])
        yield _Counts(local=local, bp=bp, bp_kept=new.bytes, boundary=boundary)


def boundary_bytes(model: Any, shape: tuple[int, int]) -> tuple[int, ...]:
    """Return the bytes of the carry after each module, as it would be sent.

    Args:
        model: A model that is trained locally. It does not change.
        shape: Height and width of the images; there are :data:`IMAGES` of them.
    """
    counter = CostCounter()
    backbone: nn.Module = counter.copy(model.backbone)
    sizes = []
    with counter.building():
        carry = Carry(features=torch.empty(IMAGES, image_channels(backbone), *shape))
        for module in range(model.plan.modules):
            carry = model.chain.run(backbone, module, carry).carry.detach()
            sizes.append(sum(tensor.numel() * tensor.element_size()
                             for tensor in carry.pack()[1]))
    return tuple(sizes)


def _bytes(parameters: Sequence[nn.Parameter]) -> int:
    return sum(each.numel() * each.element_size() for each in parameters)
