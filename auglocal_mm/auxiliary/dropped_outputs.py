"""Outputs of convolutions and linear layers, computed a second time where a backward pass asks."""
from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import TracebackType
from typing import Any

import torch
from torch import Tensor, nn
from torch.autograd.graph import saved_tensors_hooks
from torch.nn import functional as F
from torch.overrides import TorchFunctionMode
from torch.utils.weak import WeakTensorKeyDictionary

#: Their outputs follow from inputs that autograd keeps for the gradient of the weight anyway.
OPERATORS = frozenset((F.conv1d, F.conv2d, F.conv3d, F.linear))


class _Kept(torch.autograd.Function):
    """A node that keeps one tensor, as any operation would: hooks see it, changes are found."""

    @staticmethod
    def forward(ctx: Any, anchor: Tensor, tensor: Tensor) -> Tensor:
        ctx.save_for_backward(tensor)
        return anchor.new_empty(0)


@dataclass(eq=False)
class _Dropped:
    """How an output is made again.

    Attributes:
        run: The operator.
        kept: The node that keeps its input.
        others, named: Its other arguments.
        version: Number of changes in place of the output, directly after it was made.
        readers: How many operations keep the output.
        waiting: How many of them have not read the output that is there now.
        output: The output, from the first reader to the last: inputs inside a checkpoint can be
            had only once.
    """
    run: Callable[..., Tensor]
    kept: Any
    others: tuple[Any, ...]
    named: Mapping[str, Any]
    version: int
    readers: int = 0
    waiting: int = 0
    output: Tensor | None = None

    def read(self) -> Tensor:
        """Return the output to a reader."""
        if self.output is None:
            self.output, self.waiting = self._again(), self.readers
        output = self.output
        self.waiting -= 1
        if not self.waiting:
            self.output = None
        return output

    def _again(self) -> Tensor:
        x, = self.kept.grad_fn.saved_tensors
        # In the precision that the input has, whatever autocast does now. Nothing here has a
        # history, so no graph is built; the mode alone tells counters that this is a forward pass.
        with torch.enable_grad(), torch.autocast(x.device.type, enabled=False):
            return self.run(x, *(_cast(each, x) for each in self.others),
                            **{name: _cast(each, x) for name, each in self.named.items()})


class OutputsDropped(TorchFunctionMode):
    """Inside a ``with`` block, autograd keeps no outputs of convolutions and linear layers.

    Most of all a norm would keep them. Where its backward pass begins, the operator runs once
    more, so that a block's backward pass holds one such output at a time. Everything else is
    kept as always. Such operators draw no random numbers and count no batch, so gradients are
    equal bit for bit.
    """

    def __init__(self) -> None:
        super().__init__()
        self._hooks = saved_tensors_hooks(self._pack, _unpack)
        self._dropped = WeakTensorKeyDictionary()
        self._anchor = torch.empty(0, requires_grad=True)
        self._input: Tensor | None = None

    def __enter__(self) -> OutputsDropped:
        super().__enter__()
        self._hooks.__enter__()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None,
                 trace: TracebackType | None) -> None:
        self._hooks.__exit__(kind, error, trace)
        super().__exit__(kind, error, trace)
        # What goes on to others must not keep the input of the operator that made it.
        self._dropped.clear()

    def __torch_function__(self, function: Any, types: Any, arguments: tuple[Any, ...] = (),
                           settings: Mapping[str, Any] | None = None) -> Any:
        """Run an operation; remember how its output is made."""
        settings = settings or {}
        if function not in OPERATORS or not arguments:
            return function(*arguments, **settings)
        x, *others = arguments
        self._input = x
        result = function(*arguments, **settings)
        if self._input is None:
            self._dropped[result] = _Dropped(function, self._keep(x), tuple(others), settings,
                                             result._version)
        self._input = None
        return result

    def _pack(self, tensor: Tensor) -> Any:
        dropped = self._dropped.get(tensor)
        if dropped is not None and tensor._version == dropped.version:
            dropped.readers += 1
            return dropped
        # Where autograd keeps another tensor instead, such as what autocast made of the input,
        # or none, because the weight is frozen, nothing would be saved.
        if self._input is not None and _is_same(tensor, self._input):
            self._input = None
        # Weights exist anyway; the statistics of norms are small. Both are many.
        if isinstance(tensor, nn.Parameter) or tensor.dim() < 2:
            return tensor.detach()
        return self._keep(tensor)

    def _keep(self, tensor: Tensor) -> Any:
        # Hooks outside, a checkpoint's or a counter's, shall see what is kept.
        self._hooks.__exit__()
        try:
            with torch.enable_grad():
                return _Kept.apply(self._anchor, tensor.detach())
        finally:
            self._hooks.__enter__()


def _unpack(packed: Any) -> Tensor:
    if isinstance(packed, _Dropped):
        return packed.read()
    return packed if packed.grad_fn is None else packed.grad_fn.saved_tensors[0]


def _is_same(one: Tensor, other: Tensor) -> bool:
    # Linear layers keep a view of an input that is no matrix.
    return one is other or (one.numel() == other.numel()
                            and one.untyped_storage() is other.untyped_storage())


def _cast(argument: Any, x: Tensor) -> Any:
    return argument.detach().to(x.dtype) if isinstance(argument, Tensor) else argument
