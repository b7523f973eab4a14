"""Weights of which a rank trains only some: the others take no memory, until all are needed."""
from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

import torch
import torch.distributed as dist
from mmengine.model import BaseAveragedModel
from torch import Tensor, nn
from torch.optim import Optimizer

from auglocal_mm.execution.carry import Layout
from auglocal_mm.execution.messages import receive, send

from .rank_group import RankGroup
from .share.hollow import HollowTensors
from .together import broadcast, together


class OwnedWeights:
    """The parameters and buffers of a model and its averages (EMA), each owned by one stage.

    An emptied tensor keeps its shape and identity, so optimizers, averages and state dicts keep
    working; all its elements are one zero. Nothing may compute with it or write to it.

    Attributes:
        owner: Returns the stage that owns what has a name; ``None`` for what all stages keep.

    Args:
        model: The model.
        owner: Returns the stage that owns what has a name; ``None`` for what all stages keep.
        stage: This rank's.
        rank_of: Returns the rank of a stage.
        group: The ranks of the stages.
        hollow: The mode in which the model was built without large weights of other stages, if
            it was.
    """

    def __init__(self, model: nn.Module, owner: Callable[[str], int | None], *,
                 stage: int, rank_of: Callable[[int], int], group: RankGroup,
                 hollow: HollowTensors | None = None) -> None:
        self._model = model
        self._averages: list[BaseAveragedModel] = []
        self._apart: list[BaseAveragedModel] = []
        self.owner = owner
        self._stage = stage
        self._rank_of = rank_of
        self._group = group
        self._hollow = hollow
        self._layouts: dict[int, Layout] = {}

    def follow(self, average: BaseAveragedModel, *, apart: bool = True) -> None:
        """Fetch an average of the weights with the model.

        Args:
            average: The average.
            apart: Whether a stage keeps no more of it than of the model. That needs an average
                that is written by ``update_parameters`` alone.
        """
        self._averages.append(average)
        if apart:
            self._apart.append(average)

    @torch.no_grad()
    def empty(self) -> None:
        """Let go of what other stages own."""
        if self._hollow is not None:
            self._take_over(self._hollow)
        self._empty([*self._model.named_parameters(), *self._model.named_buffers()])
        for average in self._apart:
            # Its buffers stay, because it copies all of the model's into them at each step.
            self._empty(average.named_parameters())
            average.avg_parameters = {name: tensor for name, tensor in averaged(average).items()
                                      if self.owner(name) in (None, self._stage)}

    def _take_over(self, hollow: HollowTensors) -> None:
        """Treat what was never there as what was emptied.

        Raises:
            RuntimeError: A weight would lie in memory in another way than its owner's.
        """
        self._hollow = None
        for model in (self._model, *self._averages):
            whole = model in self._averages and model not in self._apart
            for tensor in (*model.parameters(), *model.buffers()):
                layout = hollow.layout_of(tensor)
                if layout is not None and whole:
                    tensor.data = layout.empty(tensor.device).zero_()
                elif layout is not None:
                    self._let_go(tensor, layout)
        hollow.forget()
        for average in self._averages:
            average.avg_parameters = averaged(average)
        # Tensors are fetched as they lie in memory.
        own = [(name, self._layouts.get(id(tensor)) or Layout.of(tensor))
               for name, tensor in self._model.named_parameters()]
        said: list[Any] = [None] * dist.get_world_size(self._group.of_host)
        dist.all_gather_object(said, own, group=self._group.of_host)
        for other in said:
            for (name, one), (_, another) in zip(own, other, strict=True):
                if one != another:
                    raise RuntimeError(
                        f'{name} lies in memory as {one.strides} on this rank and as '
                        f'{another.strides} on another one; set build=\'whole\' in '
                        'model_wrapper_cfg')

    def _empty(self, named: Iterable[tuple[str, Tensor]]) -> None:
        for tensor, _ in self._of_stages(named, besides=self._stage):
            if id(tensor) not in self._layouts:
                self._let_go(tensor, Layout.of(tensor))

    def _let_go(self, tensor: Tensor, layout: Layout) -> None:
        self._layouts[id(tensor)] = layout
        tensor.grad = None  # what a resumed run has accumulated belongs to its owner
        tensor.data = tensor.new_zeros(()).expand(tensor.shape)

    @torch.no_grad()
    def fill(self) -> None:
        """Fetch everything from its owner, a few tensors at a time; all stages call it."""
        for model in (self._model, *self._averages):
            for owner, tensors in together(self._of_stages([*model.named_parameters(),
                                                             *model.named_buffers()])):
                for tensor in tensors:
                    layout = self._layouts.pop(id(tensor), None)
                    if layout is not None:
                        tensor.data = layout.empty(tensor.device)
                # An average may lie on the host (EMAHook's device='cpu'), which NCCL cannot read.
                on_host = tensors[0].device.type == 'cpu'
                broadcast(tensors, src=self._rank_of(owner),
                          group=self._group.of_host if on_host else self._group.of_device)
        for average in self._apart:
            average.avg_parameters = averaged(average)

    def _of_stages(self, named: Iterable[tuple[str, Tensor]], *, besides: int | None = None,
                   ) -> list[tuple[Tensor, int]]:
        """Return tensors and their owners, without those of all stages and of one of them."""
        owned = ((tensor, self.owner(name)) for name, tensor in named)
        return [(tensor, owner) for tensor, owner in owned if owner not in (None, besides)]

    def fetch_state(self, optimizer: Optimizer, to: int) -> None:
        """Fetch the optimizer's state of every parameter to one stage; all stages call it.

        What is fetched lies on the host: it is to be saved, and would not fit on one device.
        """
        for owner, parameters in together(self._of_stages(self._model.named_parameters(),
                                                           besides=to)):
            if self._stage == owner:
                states = [_on_host(optimizer.state.get(parameter)) for parameter in parameters]
                send(states, self._rank_of(to), group=self._group.of_host).wait()
            elif self._stage == to:
                states = receive(self._rank_of(owner), group=self._group.of_host)
                optimizer.state.update({
                    parameter: state for parameter, state in zip(parameters, states, strict=True)
                    if state is not None})

    def drop_state(self, optimizer: Optimizer) -> None:
        """Let go of the optimizer's state of what other stages own."""
        for name, parameter in self._model.named_parameters():
            if self.owner(name) not in (None, self._stage):
                optimizer.state.pop(parameter, None)


def _on_host(state: Mapping[str, Any] | None) -> dict[str, Any] | None:
    return None if state is None else {
        key: value.cpu() if isinstance(value, Tensor) else value for key, value in state.items()}


def averaged(average: BaseAveragedModel) -> dict[str, Tensor]:
    """Return what an average updates at each step, by name, as its constructor does.

    A state dict refers to memory, not to parameters, so this is called again when that changes.
    """
    return (average.module.state_dict() if average.update_buffers
            else dict(average.module.named_parameters()))


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
    # A state dict has every name of a tensor that has several, as the heads of RTMDet share some.
    names = {name: owners.get(id(tensor)) for name, tensor in [
        *model.named_parameters(remove_duplicate=False),
        *model.named_buffers(remove_duplicate=False)]}
    last = stage_of[model.plan.modules - 1]

    def owner(name: str) -> int | None:
        # An average of the weights calls them module.…, and counts its own steps.
        name = name.removeprefix('module.')
        if name.startswith('data_preprocessor.') or name not in names:
            return None
        found = names[name]
        return last if found is None else found
    return owner
