"""Parts of a network whose activations are computed a second time instead of being kept."""
from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager, nullcontext
from dataclasses import replace
from typing import Any, TypeVar

import torch
from torch import nn
from torch.utils._pytree import tree_flatten, tree_unflatten
from torch.utils.checkpoint import checkpoint

from auglocal_mm.partition import Tokens

from .dropped_outputs import OutputsDropped

T = TypeVar('T')


def recomputed(run: Callable[..., T], inputs: tuple[Any, ...],
               named: Mapping[str, Any] | None = None, *,
               modules: Callable[[], Iterable[nn.Module]], in_pieces: bool = False) -> T:
    """Run a part of a network; keep its inputs alone for the backward pass.

    The backward pass runs the part a second time, with the same random numbers and the same
    precision, so gradients are equal bit for bit. Running statistics are updated once.

    Args:
        run: The part; what it computes depends on `inputs` and on weights alone.
        inputs: Its inputs; their tensors may be inside tuples, lists, dicts or tokens. None of
            them needs a history: a part that comes first after a boundary is recomputed as
            well. (OpenMMLab's ``with_cp`` leaves it out.)
        named: Its inputs by name.
        modules: Returns the modules that the part consists of.
        in_pieces: Whether the second run keeps less of the part as well; see
            :class:`.dropped_outputs.OutputsDropped`. Convolutions then run a third time.
    """
    if not torch.is_grad_enabled():
        return run(*inputs, **(named or {}))
    parts, form = tree_flatten((inputs, dict(named or {})))

    def run_parts(*tensors: Any) -> T:
        again, by_name = tree_unflatten([
            replace(part, values=tensor) if isinstance(part, Tokens) else tensor
            for part, tensor in zip(parts, tensors, strict=True)], form)
        with OutputsDropped() if in_pieces else nullcontext():
            return run(*again, **by_name)

    # Every tensor by itself: torch looks at no others, so it would save neither the random
    # state of their device nor, where hooks could see it, what it keeps for the backward pass.
    tensors = [part.values if isinstance(part, Tokens) else part for part in parts]
    # Reentrant checkpointing trains nothing where no input needs a gradient.
    return checkpoint(run_parts, *tensors, use_reentrant=False,
                      context_fn=lambda: (nullcontext(), _statistics_kept(modules)))


@contextmanager
def _statistics_kept(modules: Callable[[], Iterable[nn.Module]]) -> Iterator[None]:
    """Let batch norms compute what they computed before, without counting the batch again."""
    norms = [part for module in modules() for part in module.modules()
             if isinstance(part, nn.modules.batchnorm._NormBase) and part.training]
    # Copies are updated instead. Norms without statistics would save other tensors than before,
    # which checkpointing refuses.
    kept = [dict(norm._buffers) for norm in norms]
    for norm, buffers in zip(norms, kept, strict=True):
        norm._buffers.update({name: None if value is None else value.clone()
                              for name, value in buffers.items()})
    try:
        yield
    finally:
        for norm, buffers in zip(norms, kept, strict=True):
            norm._buffers.update(buffers)
