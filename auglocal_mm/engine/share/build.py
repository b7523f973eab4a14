"""Builds a model of which this rank keeps its own stage only."""
from __future__ import annotations

import hashlib
import logging
import pickle
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch
import torch.distributed as dist
from mmengine.logging import print_log
from torch import Tensor, nn
from torch.utils._pytree import tree_leaves, tree_map

from auglocal_mm.engine.hooks.generators import set_random_state, take_random_state
from auglocal_mm.engine.owned_weights import owners_by_name
from auglocal_mm.engine.pipeline_parallel import stages_of
from auglocal_mm.execution.carry import Layout
from auglocal_mm.models import LocalTraining
from auglocal_mm.plan import Assignment

from .hollow import HollowTensors, NeedsWholeError
from .memory import address_of
from .order import Order
from .share import Share


def build_share(build: Callable[[], nn.Module], *, stages: int,
                ) -> tuple[nn.Module, Share | None]:
    """Build a model on this rank, large parameters of other stages without memory.

    It is built twice. The first construction keeps and draws nothing; it shows the plan, the
    stages and the order in which parameters come into being. In the second one every random
    number is drawn, so the parameters of this stage are those of a whole model. All ranks call
    this together.

    Args:
        build: Builds the model, as often as it is called.
        stages: Number of stages; it divides the number of ranks.

    Returns:
        The model, and what this rank has of it: ``None`` for all. That is what every rank builds
        if one of them cannot build its share, as when weights are computed from others; the log
        says why.
    """
    start = _equal_generators()
    model: Any = None
    share = None
    reason = layouts = ''
    try:
        with _quiet():
            survey = _survey(build, stages)
        _set_generators(start)
        share = Share(HollowTensors(Order(survey.keeps)), survey.stages)
        with share.hollow:
            model = build()
        share.hollow.built()
        survey.verify(model, share.hollow)
        layouts = _layouts(model, share.hollow)
    except Exception as error:
        # Of whatever kind: a construction without values may go wrong in any way. A fault of
        # the config comes up again when the whole model is built.
        reason = f'{type(error).__name__}: {error}'.strip().partition('\n')[0]
    reason = _agreed(reason, layouts, share)
    if not reason:
        return model, share
    model = share = None  # before the whole model takes its memory
    _set_generators(start)
    model = build()
    # Only now: a fault of the config has come up again.
    print_log(f'Each rank builds the whole model before it lets go of other stages, because a '
              f'share of it cannot be built: {reason}', logger='current', level=logging.WARNING)
    return model, None


def initialise_share(model: Any, share: Share) -> None:
    """Initialise a model's weights; all ranks draw the same numbers, whatever they keep.

    Raises:
        RuntimeError: They have not: the weights would not be those of one device.
    """
    if not hasattr(model, 'init_weights'):
        return
    _equal_generators()
    model.init_weights()
    if len(set(_from_all(_drawn(share)))) > 1:
        raise RuntimeError(
            f'init_weights of {type(model).__name__} draws other random numbers on a rank that '
            "has not all weights; set build='whole' in model_wrapper_cfg")


@dataclass(frozen=True)
class _Survey:
    """What the first construction shows.

    Attributes:
        keeps: See :class:`Order`.
        owned: Names of the parameters and buffers that this rank needs.
        plan: The plan of the modules.
        stages: The modules of each stage.
        kinds: The order of the parameters.
    """
    keeps: tuple[bool | None, ...]
    owned: frozenset[str]
    plan: Any
    stages: tuple[range, ...]
    kinds: tuple[Any, ...]

    def verify(self, model: Any, hollow: HollowTensors) -> None:
        """Check that a model is the one that was expected, with all that this rank needs.

        Raises:
            NeedsWholeError: It is not.
        """
        if model.plan != self.plan or tuple(hollow.order.kinds) != self.kinds:
            raise NeedsWholeError('two constructions of the model differ')
        named = [*model.named_parameters(), *model.named_buffers()]
        lacking = [name for name, tensor in named
                   if name in self.owned and not hollow.is_there(tensor)]
        lacking += _lacking_attributes(model, {address_of(tensor) for _, tensor in named}, hollow)
        if lacking:
            raise NeedsWholeError(f'{lacking[0]} is computed from weights of another stage')
        # What became a parameter in a way that was not seen.
        hollow.empty(each for name, each in model.named_parameters() if name not in self.owned)


def _survey(build: Callable[[], nn.Module], stages: int) -> _Survey:
    world, rank = dist.get_world_size(), dist.get_rank()
    with HollowTensors(Order()) as survey:
        model: Any = build()
    if not isinstance(model, LocalTraining):
        raise NeedsWholeError('the model is not trained locally')
    assignment = Assignment(stages_of(model, stages), world // stages)
    owner = owners_by_name(model, {module: stage for stage, modules in enumerate(assignment.stages)
                                   for module in modules})
    needed = (None, assignment.stage_of(rank))
    owned = {name for name, _ in [*model.named_parameters(remove_duplicate=False),
                                  *model.named_buffers(remove_duplicate=False)]
             if owner(name) in needed}
    kept = {address_of(parameter): name in owned
            for name, parameter in model.named_parameters()}
    return _Survey(keeps=tuple(kept.get(memory) for memory in survey.order.memories),
                   owned=frozenset(owned), plan=model.plan, stages=assignment.stages,
                   kinds=tuple(survey.order.kinds))


def _lacking_attributes(model: nn.Module, memories: set[int], hollow: HollowTensors) -> list[str]:
    """Return names of what was computed from hollow tensors and is no parameter or buffer.

    Nobody knows which stage reads it.
    """
    return [f'{name}.{key}' for name, module in model.named_modules()
            for key, value in vars(module).items() for each in tree_leaves(value)
            if isinstance(each, Tensor) and not hollow.is_there(each)
            and address_of(each) not in memories]


def _agreed(reason: str, layouts: str, share: Share | None) -> str:
    """Return why ranks cannot build their shares of one model from the same numbers, if so."""
    said = _from_all((reason, layouts, _drawn(share)))
    reasons = [why for why, _, _ in said if why]
    if not reasons and len({found for _, found, _ in said}) > 1:
        reasons = ['ranks have built different models']
    if not reasons and len({drawn for _, _, drawn in said}) > 1:
        reasons = ['ranks have drawn different random numbers']
    return reasons[0] if reasons else ''


def _from_all(value: Any) -> list[Any]:
    said: list[Any] = [None] * dist.get_world_size()
    dist.all_gather_object(said, value)
    return said


def _layouts(model: nn.Module, hollow: HollowTensors) -> str:
    """Return a digest of all names, and of how what they name lies in memory."""
    named = [(name, hollow.layout_of(each) or Layout.of(each))
             for name, each in [*model.named_parameters(), *model.named_buffers()]]
    return hashlib.sha256(repr(named).encode()).hexdigest()


def _drawn(share: Share | None) -> str:
    """Return a digest of what this rank would draw next, and of the order of what it drew."""
    generators = tree_map(lambda each: each.numpy().tobytes() if isinstance(each, Tensor) else each,
                          _generators())
    drawn = generators, share and share.hollow.draws
    return hashlib.sha256(pickle.dumps(drawn)).hexdigest()


@contextmanager
def _quiet() -> Iterator[None]:
    """Say nothing, because the second construction says it."""
    before = logging.root.manager.disable
    logging.disable(logging.CRITICAL)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter('ignore')
            yield
    finally:
        logging.disable(before)


def _generators() -> dict[str, Any]:
    # Of all devices, a rank draws on its own; elsewhere that may have another number.
    return {**take_random_state(),
            'cuda': [torch.cuda.get_rng_state()] if torch.cuda.is_available() else []}


def _set_generators(state: dict[str, Any]) -> None:
    set_random_state({**state, 'cuda': []})
    for own in state['cuda']:
        torch.cuda.set_rng_state(own)


def _equal_generators() -> dict[str, Any]:
    """Let all ranks draw what the first one would, each on its own device.

    Where every rank has a whole model, the first one's is sent to the others instead.
    """
    state = [_generators()]
    dist.broadcast_object_list(state)
    _set_generators(state[0])
    return state[0]
