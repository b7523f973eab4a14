"""Weights of which a rank trains only some: the others take no memory, until all are needed."""
from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor, nn
from torch.optim import Optimizer

from auglocal_mm.execution.carry import Layout, flat
from auglocal_mm.execution.messages import receive, send

from .rank_group import RankGroup


class OwnedWeights:
    """The parameters and buffers of a model, each owned by one stage.

    An emptied tensor keeps its shape and identity, so optimizers, averages and state dicts keep
    working; all its elements are one zero. Nothing may compute with it or write to it.

    Attributes:
        owner: Returns the stage that owns what has a name; ``None`` for what all stages keep.

    Args:
        models: The model, and copies of it that follow it (EMA).
        owner: Returns the stage that owns what has a name; ``None`` for what all stages keep.
        stage: This rank's.
        rank_of: Returns the rank of a stage.
        group: The ranks of the stages.
    """

    def __init__(self, models: Iterable[nn.Module], owner: Callable[[str], int | None], *,
                 stage: int, rank_of: Callable[[int], int], group: RankGroup) -> None:
        self._models = list(models)
        self.owner = owner
        self._stage = stage
        self._rank_of = rank_of
        self._group = group
        self._layouts: dict[int, Layout] = {}

    def follow(self, model: nn.Module) -> None:
        """Add a copy of the model, which is fetched with it but stays whole in between."""
        self._models.append(model)

    @torch.no_grad()
    def empty(self) -> None:
        """Let go of what other stages own."""
        # Not in copies: whoever keeps an average writes to all of it.
        for tensor, owner in self._tensors(self._models[:1]):
            if owner != self._stage and id(tensor) not in self._layouts:
                self._layouts[id(tensor)] = Layout.of(tensor)
                tensor.grad = None  # what a resumed run has accumulated belongs to its owner
                tensor.data = tensor.new_zeros(()).expand(tensor.shape)

    @torch.no_grad()
    def fill(self) -> None:
        """Fetch everything from its owner, one tensor after another; all stages call it."""
        for tensor, owner in self._tensors(self._models):
            layout = self._layouts.pop(id(tensor), None)
            if layout is not None:
                tensor.data = layout.empty(tensor.device)
            values = flat(tensor.data)
            dist.broadcast(values, src=self._rank_of(owner), group=self._group.of_device)
            if values.data_ptr() != tensor.data_ptr():  # a view with gaps was copied
                tensor.data.copy_(values.view_as(tensor))

    def _tensors(self, models: Iterable[nn.Module]) -> list[tuple[Tensor, int]]:
        named = ((tensor, self.owner(name)) for model in models
                 for name, tensor in [*model.named_parameters(), *model.named_buffers()])
        return [(tensor, owner) for tensor, owner in named if owner is not None]

    def fetch_state(self, optimizer: Optimizer, to: int) -> None:
        """Fetch the optimizer's state of every parameter to one stage; all stages call it.

        What is fetched lies on the host: it is to be saved, and would not fit on one device.
        """
        model = self._models[0]
        for name, parameter in model.named_parameters():
            owner = self.owner(name)
            if owner is None or owner == to:
                continue
            if self._stage == owner:
                state = ({key: value.cpu() if isinstance(value, Tensor) else value
                          for key, value in optimizer.state[parameter].items()}
                         if parameter in optimizer.state else None)
                send(state, self._rank_of(to), group=self._group.of_host).wait()
            elif self._stage == to:
                state = receive(self._rank_of(owner), group=self._group.of_host)
                if state is not None:
                    optimizer.state[parameter] = state

    def drop_state(self, optimizer: Optimizer) -> None:
        """Let go of the optimizer's state of what other stages own."""
        for name, parameter in self._models[0].named_parameters():
            if self.owner(name) not in (None, self._stage):
                optimizer.state.pop(parameter, None)


def owners_by_name(model: Any, stage_of: Mapping[int, int]) -> Callable[[str], int | None]:
    """Return a function from the name of a parameter or buffer to the stage that owns it.

    Args:
        model: A model that is trained locally.
        stage_of: Stage of each module.
    """
    owners: dict[int, int] = {}
    for module in range(model.plan.modules):
        held = [*model._owners.parameters(model, module), *model.module_buffers(module)]
        owners.update((id(tensor), stage_of[module]) for tensor in held)
    names = {name: owners.get(id(tensor)) for name, tensor in [
        *model.named_parameters(), *model.named_buffers()]}
    last = stage_of[model.plan.modules - 1]

    def owner(name: str) -> int | None:
        # An average of the weights calls them module.…, and counts its own steps.
        name = name.removeprefix('module.')
        if name.startswith('data_preprocessor.') or name not in names:
            return None
        found = names[name]
        return last if found is None else found
    return owner
