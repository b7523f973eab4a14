"""What one would use instead of local learning: ways to save memory in back-propagation.

Each is the known recipe, applied to a model and an optimizer that a config has built.
"""
from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from functools import partial
from typing import Any

import torch
from mmengine.optim import OptimWrapper
from torch import nn
from torch.optim import Optimizer
from torch.utils.checkpoint import (
    CheckpointPolicy,
    checkpoint,
    create_selective_checkpoint_contexts,
)

#: Micro-batches of a step that accumulates gradients.
MICRO_BATCHES = 4
#: Operations whose results selective checkpointing keeps: they cost most to run again.
KEPT = frozenset(getattr(torch.ops.aten, name).default for name in (
    'convolution', 'mm', 'bmm', 'addmm', 'baddbmm', '_scaled_dot_product_flash_attention',
    '_scaled_dot_product_efficient_attention', '_scaled_dot_product_flash_attention_for_cpu'))


class PlainStep:
    """A model's own training step.

    Args:
        model: The model.
        optim_wrapper: Its optimizer wrapper.

    Attributes:
        optimizers: All optimizers that hold state.
    """

    def __init__(self, model: Any, optim_wrapper: OptimWrapper) -> None:
        self._model = model
        self._optim_wrapper = optim_wrapper
        self.optimizers: Sequence[Optimizer] = [optim_wrapper.optimizer]

    def __call__(self, batch: dict[str, Any]) -> None:
        """Train on a batch: ``inputs`` and ``data_samples``."""
        self._model.train_step(batch, self._optim_wrapper)


class AccumulatedStep(PlainStep):
    """Gradients of four micro-batches, a quarter of the images each, then one update.

    Batch norms see a quarter of the images; otherwise the update is that of the whole batch. The
    optimizer wrapper accumulates (``accumulative_counts=4``).

    Raises:
        ValueError: From a step: the batch cannot be split evenly.
    """

    def __call__(self, batch: dict[str, Any]) -> None:
        """Train on a batch."""
        size, left = divmod(len(batch['inputs']), MICRO_BATCHES)
        if left or not size:
            raise ValueError(f'the batch must be a multiple of {MICRO_BATCHES} images to be '
                             f'accumulated, got {len(batch["inputs"])}; change --batch-size')
        for start in range(0, size * MICRO_BATCHES, size):
            super().__call__({key: value[start:start + size] for key, value in batch.items()})


class StepInBackward(PlainStep):
    """Each parameter's update inside the backward pass, as soon as its gradient is there.

    The gradient is freed at once (torch's tutorial *How to save memory by fusing the optimizer
    step into the backward pass*). So there are as many optimizers as parameters, and neither
    accumulation nor clipping by a norm of all gradients.
    """

    def __init__(self, model: Any, optim_wrapper: OptimWrapper) -> None:
        super().__init__(model, optim_wrapper)
        own = optim_wrapper.optimizer
        found: dict[nn.Parameter, Optimizer] = {}
        for group in own.param_groups:
            settings = {key: value for key, value in group.items() if key != 'params'}
            for parameter in group['params']:
                found[parameter] = type(own)([{'params': [parameter], **settings}])
        self.optimizers = list(found.values())

        def update(parameter: nn.Parameter) -> None:
            found[parameter].step()
            found[parameter].zero_grad(set_to_none=True)

        # The wrapper's own step then finds no gradient, and does nothing.
        for parameter in found:
            if parameter.requires_grad:
                parameter.register_post_accumulate_grad_hook(update)


class SelectiveStep(PlainStep):
    """Selective checkpointing, block by block.

    Convolutions and matrix products are kept; norms, activations and sums are computed a second
    time. A batch then counts twice in the running statistics of batch norms, as with
    OpenMMLab's ``with_cp``.
    """

    def __init__(self, model: Any, optim_wrapper: OptimWrapper) -> None:
        super().__init__(model, optim_wrapper)
        for unit in model.chain.units:
            modules = unit.modules(model.backbone)
            # A stem is several modules in a row; there is one of it.
            if len(modules) == 1:
                modules[0].forward = partial(_selective, modules[0].forward)


def _selective(run: Callable[..., Any], *inputs: Any) -> Any:
    return checkpoint(run, *inputs, use_reentrant=False, context_fn=_contexts)


def _contexts() -> tuple[AbstractContextManager, AbstractContextManager]:
    return create_selective_checkpoint_contexts(_policy)


def _policy(context: Any, operation: Any, *arguments: Any, **settings: Any) -> CheckpointPolicy:
    return CheckpointPolicy.MUST_SAVE if operation in KEPT else CheckpointPolicy.PREFER_RECOMPUTE


#: Rival of an :class:`~.entry.Entry` -> how it trains; ``None`` is the model's own way.
RIVALS: dict[str | None, type[PlainStep]] = {
    None: PlainStep, 'bp-accumulate': AccumulatedStep, 'bp-step': StepInBackward,
    'bp-selective': SelectiveStep}
