"""What happens in a training step, and who listens, in which order.

    begin_step      before the first module runs
    before_module   before a module runs, whether it learns or is frozen
    after_module    after a module's backward pass, before the next module runs
    before_update   after the last one, before the optimizer steps
    end_step        after the optimizer has stepped, if it was due

At each event, listeners are called in the order of :class:`Order`. A listener that acts on
gradients or weights belongs here. A hook of mmengine only observes whole iterations.

Joint execution has one backward pass, which somebody else runs. There, only the model's own
record listens, and a model with other listeners is refused.
"""
from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from enum import IntEnum
from typing import Any

from torch import Tensor


class Order(IntEnum):
    """When a listener is called, among all of one event."""

    #: Looks at losses before anyone uses their gradients: the check for values not finite.
    WATCH = 0
    #: Starts to average a module's gradients over ranks; the averages are there before_update,
    #: and earlier for whoever waits for them.
    AVERAGE = 1
    #: Changes weights inside the step: a module's own, which nothing reads any more.
    UPDATE = 2
    #: Copies what a module has learned, such as momentum copies.
    COPY = 3
    #: Records values for the log; changes nothing.
    RECORD = 4


@dataclass(frozen=True, kw_only=True)
class StepBegin:
    """A training step begins.

    Attributes:
        model: The model.
        updates: Whether the step ends with an update of the weights; otherwise gradients
            accumulate.
    """
    model: Any
    updates: bool


@dataclass(kw_only=True)
class ModuleDone:
    """A module has run, and its backward pass if anything is trained by it.

    Attributes:
        module: Index of the module.
        name: What errors call it.
        loss: The sum of its losses, a scalar.
        scores: Values for the log by name.
        trained: Indices of the modules whose gradients are final now; empty if all of them are
            frozen, or execution is joint. A gradient may be missing.
        flag: A scalar that is nan if this rank must not update its weights: set by a listener
            that watches, read by those that come after it.
        wait: Waits until the gradients are averages over ranks: set by a listener that averages
            them. ``None`` if they are final already.
    """
    module: int
    name: str
    loss: Tensor
    scores: Mapping[str, Tensor]
    trained: range
    flag: Tensor | None = None
    wait: Callable[[], None] | None = None


class Listener:
    """Hears of a training step; overrides what it needs.

    Attributes:
        order: When it is called.
    """

    order: Order

    def begin_step(self, event: StepBegin) -> None:
        """Hear that a step begins. The step before may have ended with an exception."""

    def before_module(self, module: int) -> None:
        """Hear that a module is about to run."""

    def after_module(self, event: ModuleDone) -> None:
        """Hear that a module has learned; its graph is gone."""

    def before_update(self) -> None:
        """Hear that all modules have learned; the optimizer steps next, if it is due."""

    def end_step(self) -> None:
        """Hear that the step is over."""


class Listeners:
    """Listeners in their order; those of equal order in the order in which they were added.

    A model holds one. Its copies start without listeners, because these act on the model
    that they were made for.

    Args:
        listeners: The first ones.
    """

    def __init__(self, listeners: Iterable[Listener] = ()) -> None:
        self._listeners = sorted(listeners, key=lambda each: each.order)

    def __reduce__(self) -> tuple[type[Listeners], tuple[()]]:
        return Listeners, ()

    def __iter__(self) -> Iterator[Listener]:
        return iter(self._listeners)

    def add(self, listener: Listener) -> None:
        """Add a listener at its place."""
        self._listeners = sorted([*self._listeners, listener], key=lambda each: each.order)

    def remove(self, listener: Listener) -> None:
        """Remove a listener that was added."""
        self._listeners.remove(listener)

    @contextmanager
    def also(self, listener: Listener) -> Iterator[None]:
        """Let another one listen inside a ``with`` block."""
        self.add(listener)
        try:
            yield
        finally:
            self.remove(listener)

    def joined(self, *others: Iterable[Listener]) -> Listeners:
        """Return these listeners and others, in their order."""
        return Listeners([*self._listeners, *(each for other in others for each in other)])

    def begin_step(self, event: StepBegin) -> None:
        """Tell all that a step begins."""
        for listener in self._listeners:
            listener.begin_step(event)

    def before_module(self, module: int) -> None:
        """Tell all that a module is about to run."""
        for listener in self._listeners:
            listener.before_module(module)

    def after_module(self, event: ModuleDone) -> None:
        """Tell all that a module has learned."""
        for listener in self._listeners:
            listener.after_module(event)

    def before_update(self) -> None:
        """Tell all that the modules have learned."""
        for listener in self._listeners:
            listener.before_update()

    def end_step(self) -> None:
        """Tell all that the step is over."""
        for listener in self._listeners:
            listener.end_step()
