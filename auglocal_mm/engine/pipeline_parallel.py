"""A pipeline over ranks: each trains some modules, and nothing flows back."""
from __future__ import annotations

import logging
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, nullcontext
from itertools import pairwise
from typing import Any

import torch.distributed as dist
from mmengine.logging import print_log
from mmengine.optim import OptimWrapper
from torch import Tensor, nn

from auglocal_mm.execution import Carry, LocalOptimizer, immediate_step
from auglocal_mm.execution.pipeline import Inbox, Outbox, Parcel
from auglocal_mm.models import LocalTraining
from auglocal_mm.models.counted_costs import module_costs
from auglocal_mm.plan import Assignment, Event, assign_stages
from auglocal_mm.registry import MODEL_WRAPPERS
from auglocal_mm.validation import Faults, check_choice, check_int

from .distributed import GradientAverage
from .module_steps import needs_all_gradients
from .optim_wrapper import AugLocalOptimWrapper
from .owned_weights import OwnedWeights, owners_by_name
from .rank_group import RankGroup, group_of
from .rank_wrapper import RankWrapper
from .share.share import Share

MAX_QUEUE = 1000


@MODEL_WRAPPERS.register_module()
class LocalPipelineParallel(RankWrapper):
    """One stage per rank; each trains its modules as soon as the features have arrived.

    Ranks compute what one device would, to the last bit: no gradient crosses a boundary, so
    a stage needs only its predecessor's features. The first stage reads the data and sends
    labels on with them. With more ranks than stages there are replicas, on batches of their
    own, and gradients are averaged over the ranks that train the same stage.

    Random numbers inside a network (dropout, stochastic depth) are drawn on each rank, so with
    them runs are equal in distribution only, unless
    :class:`~auglocal_mm.engine.hooks.ModuleSeedHook` seeds them.

    Args:
        module: A model with :class:`~auglocal_mm.models.LocalTraining`, on its device.
        stages: Number of stages, by default all ranks; it divides their number.
        queue: How many batches may wait between two ranks.
        build: What a rank builds before the training begins: ``'stage'``, its own stage alone,
            or ``'whole'``, the whole model. This package's runner reads it.
        share: What this rank has of the model, if it was built without large weights of other
            stages. Their mode ends with :meth:`begin`.

    Attributes:
        assignment: Which rank trains which modules.
        stages: Number of stages.
        stage: This rank's stage.
        replica: This rank's replica.
        running: Whether :meth:`begin` was called and :meth:`finish` was not.
        trace: A list to which each action of this rank is added, with its time; ``None`` for none.
            The actions are those of :func:`~auglocal_mm.plan.schedule`, the average and the
            update being part of ``run``.
        own_modules: Its modules.
        weights: Where weights of other stages are emptied and fetched.

    Raises:
        TypeError: The model is not trained locally.
        RuntimeError: There is no process group.
        ValueError: The model cannot be cut into as many stages, or ranks cannot be shared out.
    """

    def __init__(self, module: nn.Module, *, stages: int | None = None, queue: int = 2,
                 build: str = 'stage', share: Share | None = None) -> None:
        super().__init__(module)
        model = self.module
        world, rank = dist.get_world_size(), dist.get_rank()
        stages = world if stages is None else stages
        faults = Faults('LocalPipelineParallel')
        check_int(faults, 'stages', stages, 1, world, note=', the number of ranks')
        check_int(faults, 'queue', queue, 1, MAX_QUEUE)
        check_choice(faults, 'build', build, ('stage', 'whole'))
        faults.raise_if_any()
        if world % stages:
            raise ValueError(f'stages must divide the number of ranks, {world}, got {stages}; '
                             'leave it out for one stage per rank')
        if share is None:
            self._make_equal()
        self._share = share
        self.assignment = Assignment(
            stages_of(model, stages) if share is None else share.stages, world // stages)
        self.stages = stages
        self.stage, self.replica = self.assignment.stage_of(rank), self.assignment.replica_of(rank)
        self.running = False
        self.trace: list[Event] | None = None
        self._step = 0
        self.own_modules = self.assignment.stages[self.stage]
        self._device = next(model.parameters()).device
        later = range(self.own_modules.stop, model.plan.modules)
        reads = getattr(model.task, 'reads_images', None)  # a task of somebody's may lack it
        self._images_go_on = reads is None or reads(model.plan, later)
        self._inbox, self._outbox, self._line, self._peers = self._connect(queue)
        self._average = (GradientAverage(model, self._peers)
                         if self.assignment.replicas > 1 else None)
        self.weights = OwnedWeights(
            model, owners_by_name(model, {
                each: stage for stage, modules in enumerate(self.assignment.stages)
                for each in modules}),
            stage=self.stage, rank_of=lambda stage: self.assignment.rank_of(stage, self.replica),
            group=self._line, hollow=share.hollow if share else None)

    def _connect(self, queue: int) -> tuple[Inbox | None, Outbox | None, RankGroup, Any]:
        """Make the groups of all ranks, in one order.

        Returns:
            What this rank receives from and sends to, its replica's group, and its stage's.
        """
        assignment = self.assignment
        inbox = outbox = replica_group = stage_group = None
        for replica in range(assignment.replicas):
            line = [assignment.rank_of(stage, replica) for stage in range(self.stages)]
            group = RankGroup.of(line, self._device)
            if replica == self.replica:
                replica_group = group
            for stage, (sender, receiver) in enumerate(pairwise(line)):
                # A group for each pair: a thread receives while this one sends and averages.
                link = RankGroup.of([sender, receiver], self._device)
                if replica == self.replica and stage == self.stage - 1:
                    inbox = Inbox(link.receiving(sender))
                if replica == self.replica and stage == self.stage:
                    outbox = Outbox(link.sending(receiver), queue)
        for stage in range(self.stages):
            group = group_of(assignment.peers(stage), self._device)
            if stage == self.stage:
                stage_group = group
        assert replica_group is not None
        return inbox, outbox, replica_group, stage_group

    @property
    def is_first(self) -> bool:
        """Whether this stage reads the data."""
        return self.stage == 0

    @property
    def is_last(self) -> bool:
        """Whether a step ends in this stage."""
        return self.stage == len(self.assignment.stages) - 1

    def owns(self, name: str) -> bool:
        """Tell whether a parameter or buffer of the model is this stage's, or every stage's."""
        return self.weights.owner(name) in (None, self.stage)

    def train_step(self, data: Any, optim_wrapper: OptimWrapper) -> dict[str, Tensor]:
        """Run this stage's share of a training step.

        Args:
            data: A batch, in the first stage; others ignore it.
            optim_wrapper: An ``AugLocalOptimWrapper``.

        Returns:
            Values for the log; in the last stage those of the whole step.

        Raises:
            TypeError, ValueError: The optimizer wrapper's settings cannot be exact in a pipeline.
            RuntimeError: :meth:`begin` was not called, or the stage before has gone.
        """
        require_exact(optim_wrapper, self.stages)
        if self._step == 0 and self.stages > 1:
            require_own_gradients(optim_wrapper)  # once: a copy of the optimizer tries
        if not self.running and self.stages > 1:
            raise RuntimeError(
                'LocalPipelineParallel needs loops and hooks that know about stages, which this '
                'package\'s tools add; start with tools/dist_train.sh or auglocal-mm train. In a '
                'loop of your own, call begin() before the first step and finish() after the last')
        model = self.module
        model.prepare_step(optim_wrapper)
        with self._traced('load' if self.is_first else 'receive'), world_of(self._peers):
            parcel = self._take(data)
        with world_of(self._peers):
            batch = model.task.batch(model, parcel.inputs, parcel.data_samples)
        # Outside of this stage's replicas nobody takes part in what a loss or a norm exchanges.
        averaging = model.listeners.also(self._average) if self._average else nullcontext()
        with self._traced('run'), world_of(self._peers), averaging:
            if isinstance(optim_wrapper, AugLocalOptimWrapper):
                optim_wrapper.norms_before = parcel.norms
            log_vars, carry = immediate_step(model, parcel.carry, batch, optim_wrapper,
                                             modules=self.own_modules)
        metrics = model.local_metrics
        metrics.losses = {**parcel.losses, **metrics.losses}
        metrics.scores = {kind: {**parcel.scores.get(kind, {}), **metrics.scores.get(kind, {})}
                          for kind in [*parcel.scores, *metrics.scores]}
        if self._outbox is not None:
            if self._outbox.full:
                with self._traced('wait'):
                    self._outbox.wait()
            with self._traced('send'):
                self._outbox.put(self._onward(parcel, carry, getattr(optim_wrapper, 'norms', ())))
        self._step += 1
        if 'local_loss' in log_vars:
            log_vars['local_loss'] = metrics.total_loss()
        # Hooks look at the loss on every rank; the whole step's is that of the last stage.
        log_vars.setdefault('loss', metrics.total_loss())
        return log_vars

    def _take(self, data: Any) -> Parcel:
        if self._inbox is not None:
            parcel = self._inbox.take()
            if parcel is None:
                raise RuntimeError('the stage before this one has finished its training')
            return parcel
        data = self.module.data_preprocessor(data, True)
        return Parcel(carry=Carry(features=data['inputs']), inputs=data['inputs'],
                      data_samples=data['data_samples'])

    def _onward(self, parcel: Parcel, carry: Carry, norms: Sequence[Tensor]) -> Parcel:
        """Return what the next stage needs."""
        metrics = self.module.local_metrics
        # Few losses read images; without them a parcel is a fifth to a half smaller.
        inputs = parcel.inputs if self._images_go_on else parcel.inputs.new_empty(
            (len(parcel.data_samples), 0, 0, 0))
        return Parcel(carry=carry, inputs=inputs, data_samples=parcel.data_samples,
                      losses=dict(metrics.losses), scores=dict(metrics.scores), norms=norms)

    @contextmanager
    def _traced(self, kind: str) -> Iterator[None]:
        """Note an action and its time, if somebody wants to know."""
        if self.trace is None:
            yield
            return
        start = time.monotonic()
        yield
        self.trace.append(Event(rank=dist.get_rank(), kind=kind, step=self._step, start=start,
                                stop=time.monotonic()))

    def begin(self) -> None:
        """Begin the training: let go of what other stages train."""
        if self._share is not None:
            self._share.hollow.leave()
            self._share = None
        self.running = True
        self.weights.empty()

    def finish(self) -> None:
        """End the training: nothing more is sent, and all that was sent has left.

        Raises:
            RuntimeError: The stages have trained different numbers of steps.
        """
        self.running = False
        if self._outbox is not None:
            self._outbox.put(None)  # more than the limit for once: it holds nothing
        self.flush()
        if self._inbox is not None and self._inbox.take() is not None:
            raise RuntimeError(f'stage {self.stage} has ended after {self._step} steps, but the '
                               'stage before it sends more; the stages disagree on the data')

    def flush(self) -> None:
        """Wait until all that was sent has left."""
        if self._outbox is not None:
            self._outbox.flush()


def stages_of(model: LocalTraining, stages: int) -> tuple[range, ...]:
    """Cut a model's modules into stages, so that the slowest one is as fast as possible.

    A stage ends where nothing flows back: after a module with a loss of its own, if the next
    one shares no unit with it.

    Raises:
        ValueError: There are fewer such places than stages.
    """
    plan = model.plan
    ends = [module for module in range(plan.modules - 1) if plan.has_loss(module)
            and plan.spans[module].stop == plan.spans[module + 1].start]
    try:
        costs = [cost.flops for cost in module_costs(model).modules]
    except ValueError as error:
        print_log(f'Stages have equally many units, because {error}', logger='current',
                  level=logging.WARNING)
        costs = [span.stop - span.start for span in plan.spans]
    return assign_stages(costs, stages, ends=ends)


@contextmanager
def world_of(group: Any) -> Iterator[None]:
    """Let a group be the default one, so that losses and norms exchange values inside it.

    Dense losses average their number of positives over all ranks, and synchronised norms their
    statistics; other stages do not compute them.
    """
    world = dist.distributed_c10d._get_default_group()
    dist.distributed_c10d._update_default_pg(group)
    try:
        yield
    finally:
        dist.distributed_c10d._update_default_pg(world)


def require_exact(optim_wrapper: Any, stages: int) -> None:
    """Refuse settings whose result would depend on all stages at once.

    Raises:
        TypeError: The optimizer wrapper is another one.
        ValueError: It clips by the norm of all gradients, skips whole updates, or scales losses
            as their overflows demand.
    """
    if not isinstance(optim_wrapper, LocalOptimizer):
        raise TypeError("LocalPipelineParallel needs optim_wrapper.type="
                        f"'auglocal_mm.AugLocalOptimWrapper', got {type(optim_wrapper).__name__}; "
                        'with another wrapper, leave model_wrapper_cfg out')
    if stages == 1 or not isinstance(optim_wrapper, AugLocalOptimWrapper):
        return
    faults = Faults(f'LocalPipelineParallel with {stages} stages')
    optim_wrapper.judge_apart(faults)
    faults.raise_if_any()


def require_own_gradients(optim_wrapper: Any) -> None:
    """Refuse an optimizer that looks at the gradients of all parameters together.

    Raises:
        ValueError: It is such a one.
    """
    optimizer = optim_wrapper.optimizer
    if needs_all_gradients(optimizer):
        raise ValueError(
            f'LocalPipelineParallel: {type(optimizer).__name__} updates a parameter by the '
            'gradients of others, which no rank has; set optim_wrapper.optimizer.type, such as '
            'to AdamW or SGD')
