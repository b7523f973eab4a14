"""Weights that are never there: what is drawn for them is drawn and thrown away."""
from __future__ import annotations

import math
import threading
import zlib
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.modules.module import register_module_parameter_registration_hook
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves, tree_map

from auglocal_mm.execution.carry import Layout

from .memory import address_of, has_memory, number_of, storage_of
from .order import Order
from .readers import Readers

#: Smaller tensors are built in any case: biases, norms and layer scales, of which auxiliary
#: networks copy some.
LEAST_VALUES = 4096

aten = torch.ops.aten

#: Operations whose result tells values: a number, or a shape.
_TELLING = (torch.Tag.data_dependent_output, torch.Tag.dynamic_output_shape)


class NeedsWholeError(RuntimeError):
    """Something depends on the values of weights that are not there."""


@dataclass(frozen=True)
class _Hollow:
    storage: Any  # kept alive, or another one could get its address
    layout: Layout


class HollowTensors(TorchDispatchMode):
    """A mode in which tensors may be hollow: of their shape, on their device, without memory.

    While a model is built inside it, parameters become hollow as soon as a module registers them,
    unless they are kept. Random numbers are drawn for a hollow tensor as for another one, so
    those that follow are the same, and are dropped. What is computed from a hollow tensor is
    hollow. Copies to devices and into other orders of memory are hollow and have that device and
    order. Nothing that depends on a value which is not there becomes a real one: that raises.

    A hollow tensor looks like :class:`~auglocal_mm.engine.owned_weights.OwnedWeights` leaves one:
    all its elements are one number, which changes when they would be written. mmengine tells by
    the mean what has been initialised.

    Args:
        order: Which parameters are kept. Where it only shows the order, nothing is drawn, and
            nothing is refused.

    Attributes:
        order: The order of this construction.
        draws: A number that tells in which order tensors of which shapes have been drawn.
    """

    def __init__(self, order: Order) -> None:
        super().__init__()
        self.order = order
        self.draws = 0
        self._thread = threading.get_ident()
        self._building = True
        self._hook: Any = None
        self._entered = False
        self._hollow: dict[int, _Hollow] = {}
        #: Memory that is there, but was copied from what is not.
        self._unwritten: dict[int, Any] = {}
        self._scratch: dict[Any, Tensor] = {}
        self._readers = Readers(self.is_there, self._refuse)

    def __enter__(self) -> HollowTensors:
        """Turn the mode on."""
        super().__enter__()
        self._readers.__enter__()
        self._entered = True
        if self._building:
            self._hook = register_module_parameter_registration_hook(self._registered)
        return self

    def __exit__(self, *error: Any) -> None:
        """Turn it off."""
        if self._hook is not None:
            self._hook.remove()
            self._hook = None
        self._entered = False
        self._readers.__exit__(*error)
        self._scratch.clear()
        super().__exit__(*error)

    def leave(self) -> None:
        """Turn it off if it is on."""
        if self._entered:
            self.__exit__(None, None, None)

    def built(self) -> None:
        """Let no more parameters become hollow: the model is complete."""
        self._building = False
        self.order.end()

    def forget(self) -> None:
        """Let go of what it knows about tensors: those of the model are hollow no more."""
        self._hollow.clear()
        self._unwritten.clear()

    def layout_of(self, tensor: Tensor) -> Layout | None:
        """Return how a hollow tensor would lie in memory, and ``None`` for another one."""
        found = self._hollow.get(address_of(tensor))
        if found is None:
            return None
        if found.layout.shape == tensor.shape:
            return found.layout
        return Layout.of(torch.empty_like(tensor, device='meta'))  # a view

    def is_there(self, tensor: Tensor) -> bool:
        """Tell whether a tensor's values are those that it should have."""
        address = address_of(tensor)
        return address not in self._hollow and address not in self._unwritten

    def empty(self, tensors: Iterable[Tensor]) -> None:
        """Make tensors hollow, unless they are small or are hollow already."""
        for tensor in tensors:
            if tensor.numel() >= LEAST_VALUES and self.layout_of(tensor) is None:
                tensor.data = self._new(Layout.of(tensor), tensor.device)

    def _registered(self, module: nn.Module, name: str, parameter: Any) -> None:
        # The hook hears of all threads; the mode is this one's.
        if not (threading.get_ident() == self._thread and isinstance(parameter, nn.Parameter)
                and has_memory(parameter) and parameter.numel() >= LEAST_VALUES
                and not self.order.knows(parameter)):
            return
        if self.order.next('registered', parameter) is False:
            with torch.no_grad():
                self.empty([parameter])
        self.order.record(parameter)

    def _new(self, layout: Layout, device: torch.device) -> Tensor:
        one = torch.zeros((), dtype=layout.dtype, device=device)
        self._hollow[address_of(one)] = _Hollow(storage_of(one), layout)
        return one.expand(layout.shape)

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        """Run an operation, without those of its tensors that are not there."""
        kwargs = kwargs or {}
        tensors = [each for each in tree_leaves((args, kwargs)) if isinstance(each, Tensor)]
        packet = func.overloadpacket
        if torch.Tag.nondeterministic_seeded in func.tags:
            drawn = f'{func} {[tuple(each.shape) for each in tensors]}'
            self.draws = zlib.crc32(drawn.encode(), self.draws)
        # As deep copies of parameters ask for it.
        if (self._building and packet is aten.clone and self.order.knows(args[0])
                and kwargs.get('memory_format') is torch.preserve_format):
            return self._copied(func, args[0], kwargs)
        if all(map(self.is_there, tensors)):
            return func(*args, **kwargs)
        written = _written(func, args, kwargs)
        if written:
            return self._write(func, written, args, kwargs)
        if any(each.alias_info is not None for each in func._schema.returns):
            return func(*args, **kwargs)  # a view
        if packet in (aten.clone, aten._to_copy):
            return self._moved(func, args[0], kwargs)
        name = packet.__name__
        if name.startswith('new_'):
            return func(*args, **kwargs)
        if name.endswith('_like'):
            return func(self._without_memory(args[0]), *args[1:], **{
                **kwargs, 'device': kwargs.get('device') or args[0].device})
        if packet is aten.ne and not any(each.dim() for each in tensors):
            return func(*args, **kwargs)  # mmengine asks whether a mean has changed
        if any(tag in func.tags for tag in _TELLING):
            self._refuse(func)
            return func(*args, **kwargs)
        if torch.Tag.nondeterministic_seeded in func.tags:
            self._refuse(func)  # how many numbers are drawn may depend on values
        return self._computed(func, tensors, args, kwargs)

    def _refuse(self, what: Any) -> None:
        """Stop where a value that is not there would be used.

        Raises:
            NeedsWholeError: Always, except in a construction that only shows the order.
        """
        if not self.order.shows:
            name = what if isinstance(what, str) else what.overloadpacket.__name__
            # torch's own name for item(), bool() and the like says nothing to a user.
            told = 'reading a value' if name == '_local_scalar_dense' else name
            raise NeedsWholeError(
                f'{told} needs weights of other stages, which this rank has not; set '
                "build='whole' in model_wrapper_cfg")

    def _copied(self, func: Any, source: Tensor, kwargs: Any) -> Tensor:
        """Deep copy a parameter, of which the source and the copy may be of different stages."""
        keep = self.order.next('copied', source)
        if self.is_there(source) and keep is not False:
            copy = func(source, **kwargs)
        else:
            layout = self._layout_after(func, source, kwargs)
            if keep:
                # Blocks of auxiliary networks are copies whose layers are initialised again.
                copy = layout.empty(source.device)
                self._unwritten[address_of(copy)] = storage_of(copy)
            else:
                copy = self._new(layout, source.device)
        self.order.record(copy)
        return copy

    def _moved(self, func: Any, source: Tensor, kwargs: Any) -> Tensor:
        device = kwargs.get('device') or source.device
        if device.type == 'meta':
            return func(self._without_memory(source), **kwargs)
        moved = self._new(self._layout_after(func, source, kwargs), device)
        self._copy_number(source, moved)
        return moved

    def _layout_after(self, func: Any, source: Tensor, kwargs: Any) -> Layout:
        kept = {key: value for key, value in kwargs.items() if key in ('dtype', 'memory_format')}
        return Layout.of(func(self._without_memory(source), **kept))

    def _without_memory(self, tensor: Tensor) -> Tensor:
        """Return a tensor of the same shape, type and order of memory on no device."""
        layout = self.layout_of(tensor) or Layout.of(torch.empty_like(tensor, device='meta'))
        return torch.empty_strided(layout.shape, layout.strides, dtype=tensor.dtype, device='meta')

    def _write(self, func: Any, written: list[Any], args: Any, kwargs: Any) -> Any:
        target = written[0]
        if (len(written) > 1 or not isinstance(target, Tensor) or target is not args[0]
                or torch.Tag.inplace_view in func.tags):
            self._refuse(func)
            return written[0] if len(func._schema.returns) == 1 else (
                tuple(written) if func._schema.returns else None)
        address = address_of(target)
        if address in self._hollow:
            return self._write_hollow(func, target, args, kwargs)
        others = [each for each in tree_leaves((args[1:], kwargs)) if isinstance(each, Tensor)]
        if address in self._unwritten:
            if all(map(self.is_there, others)):
                func(*args, **kwargs)
                if _overwrites(func) and storage_of(target).nbytes() == target.nbytes:
                    del self._unwritten[address]
            return target
        self._refuse(func)  # it was there, and would not be
        return target

    def _write_hollow(self, func: Any, target: Tensor, args: Any, kwargs: Any) -> Tensor:
        """Draw what would be drawn, and change the one number that is there."""
        one = number_of(target)
        if torch.Tag.nondeterministic_seeded in func.tags:
            if not self.order.shows:
                layout = self._hollow[address_of(target)].layout
                if layout.shape != target.shape:
                    self._refuse(func)  # a part of it may be drawn in an order of its own
                drawn = self._scratch_for(layout, target.device)
                func(drawn, *args[1:], **kwargs)
                one.copy_(drawn.mean() if drawn.is_floating_point() else drawn.flatten()[0])
        elif any(isinstance(each, Tensor) for each in tree_leaves((args[1:], kwargs))):
            one.add_(1)
        else:
            func(one, *args[1:], **kwargs)
        return target

    def _scratch_for(self, layout: Layout, device: torch.device) -> Tensor:
        """Return memory for numbers that are thrown away, the same for each tensor.

        If each had its own, the holes between what stays would add up to gigabytes.
        """
        values = math.prod(layout.shape)
        place = (device, layout.dtype)
        if place not in self._scratch or self._scratch[place].numel() < values:
            self._scratch[place] = torch.empty(values, dtype=layout.dtype, device=device)
        return self._scratch[place].as_strided(layout.shape, layout.strides)

    def _computed(self, func: Any, tensors: list[Tensor], args: Any, kwargs: Any) -> Any:
        """Return hollow results of an operation, which runs without memory.

        Some kernels read beyond a tensor of which all elements are one.
        """
        device = kwargs.get('device') or max(tensors, key=Tensor.dim).device
        shapes = func(*tree_map(self._bare, args), **{
            key: torch.device('meta') if key == 'device' else tree_map(self._bare, value)
            for key, value in kwargs.items()})
        made = tree_map(lambda each: self._new(Layout.of(each), device)
                        if isinstance(each, Tensor) else each, shapes)
        if func.overloadpacket is aten.mean:
            self._copy_number(tensors[0], made)
        return made

    def _bare(self, value: Any) -> Any:
        return self._without_memory(value) if isinstance(value, Tensor) else value

    def _copy_number(self, source: Tensor, to: Tensor) -> None:
        """Give a hollow tensor the number of another one, whose mean it then has."""
        if address_of(source) in self._hollow:
            number_of(to).copy_(number_of(source))


def _written(func: Any, args: Any, kwargs: Any) -> list[Any]:
    """Return the arguments that an operation writes to."""
    return [args[place] if place < len(args) else kwargs.get(argument.name)
            for place, argument in enumerate(func._schema.arguments)
            if argument.alias_info is not None and argument.alias_info.is_write]


def _overwrites(func: Any) -> bool:
    """Tell whether an operation on a tensor ignores its earlier values."""
    return (torch.Tag.nondeterministic_seeded in func.tags
            or func.overloadpacket in (aten.fill_, aten.zero_, aten.copy_))
