"""Makes a resumed run continue with the random numbers and gradients of the run it resumes."""
from __future__ import annotations

from typing import Any

import torch
from mmengine.dist import gather_object, get_rank
from mmengine.hooks import Hook
from mmengine.model import is_model_wrapper
from mmengine.optim import OptimWrapper
from mmengine.runner import Runner
from torch import Tensor, nn

from auglocal_mm.engine.pipeline_parallel import LocalPipelineParallel
from auglocal_mm.plan.parallel import Assignment
from auglocal_mm.registry import HOOKS

from .generators import set_random_state, take_random_state
from .saved_states import require_sound_states

KEY = 'random_states'


@HOOKS.register_module()
class RandomStateHook(Hook):
    """Keeps every rank's random states in the checkpoint, and gradients under accumulation.

    Call order: ``after_train_epoch`` takes the states, and so does :meth:`take` just
    before ``CheckpointHook`` saves. ``before_save_checkpoint`` stores them,
    ``after_load_checkpoint`` reads them, ``before_train`` restores gradients and
    buffers, ``before_train_epoch`` sets the random states. They are also set in
    uninterrupted runs, so random numbers after a checkpoint do not depend on what
    ran between (validation, a restart). With worker processes, use
    ``auglocal_mm.seed_worker``.

    A resume in the middle of an epoch, or of an iteration-based run, is exact with
    our training loops and our ``CheckpointHook``. With mmengine's loops only the ends
    of epochs are exact.

    Attributes:
        saved_after: Iterations after which the last checkpoint was saved, or after which
            the resumed one was. Our loops restart their data there.
    """

    priority = 'VERY_HIGH'

    def __init__(self) -> None:
        self.saved_after: int | None = None
        self._taken_after: int | None = None
        self._states: dict[str, Any] | None = None
        self._pass_start: dict[str, Any] | None = None
        self._entry: dict[str, Any] | None = None
        self._loaded: dict[str, Any] | None = None

    def after_train_epoch(self, runner: Runner) -> None:
        """Take the states at the end of an epoch."""
        self._take(runner, runner.iter)

    def take(self, runner: Runner, *, iterations: int) -> None:
        """Take the states of all ranks, which all call it, before a checkpoint is saved.

        Args:
            iterations: Iterations that the checkpoint has trained.
        """
        if not getattr(runner.train_loop, 'restarts', False):
            return  # mmengine's loops can only resume where after_train_epoch took them.
        self._take(runner, iterations)
        self.saved_after = iterations

    def _take(self, runner: Runner, iterations: int) -> None:
        # A checkpoint may be saved twice, before and after a validation: the first states count.
        if iterations == self._taken_after:
            return
        self._taken_after = iterations
        self._states = take_random_state()
        began = getattr(runner.train_loop, 'began', None)
        # At the beginning of a pass its order is still to be drawn, so there is no start to save.
        own = {'random': self._states, 'gradients': _gradients(runner),
               'buffers': _own_buffers(runner),
               'start': self._pass_start if began not in (None, iterations) else None}
        every = gather_object(own, dst=0)
        if every is None:
            return
        ranks = _by_replica(runner, every)
        self._entry = {
            'ranks': [each['random'] for each in ranks],
            'sampler_seed': getattr(_sampler(runner), 'seed', None),
            'iterations': iterations, 'epoch': runner.epoch, 'began': began,
            'batches': getattr(runner.train_loop, 'batches_of_pass', None)}
        for key in ('gradients', 'buffers', 'start'):
            if any(each[key] for each in ranks):
                self._entry[key] = [each[key] for each in ranks]

    def before_save_checkpoint(self, runner: Runner, checkpoint: dict) -> None:
        """Store what was taken, unless it belongs to an earlier iteration."""
        if self._entry is not None and (
                not getattr(runner.train_loop, 'restarts', False)
                or self._taken_after == checkpoint['meta']['iter']):
            checkpoint[KEY] = self._entry

    def after_load_checkpoint(self, runner: Runner, checkpoint: dict) -> None:
        """Read the states from the checkpoint, if it has them.

        Raises:
            CheckpointError: They are something else.
        """
        self._loaded = checkpoint.get(KEY)
        if self._loaded is not None:
            require_sound_states(self._loaded, _bare(runner))

    def before_train(self, runner: Runner) -> None:
        """Take over what the resumed run left off with."""
        # A run that only starts from another's weights is at iteration 0.
        if self._loaded is not None and runner.iter > 0:
            self._adopt(runner, self._loaded)
        self._loaded = None

    def before_train_epoch(self, runner: Runner) -> None:
        """Set this rank's states, if any were taken or loaded by a resume."""
        self.restore()

    def begin_pass(self) -> None:
        """Remember the states from which the order of a pass over the data is drawn."""
        self._pass_start = take_random_state()

    def rewind(self) -> None:
        """Set the states of the beginning of the pass that a resumed run is in."""
        if self._pass_start is not None:
            set_random_state(self._pass_start)

    def restore(self) -> None:
        """Set the states that were taken or loaded last, if any."""
        if self._states is not None:
            set_random_state(self._states)

    def resumed_position(self, epoch: int, batches: int) -> int | None:
        """Return how many batches of this epoch the resumed run had trained, if it says so."""
        entry = self._loaded
        if entry is None or entry.get('began') is None or not entry.get('batches'):
            return None
        if entry['epoch'] != epoch:
            return 0
        done = entry['iterations'] - entry['began']
        # Another batch size or number of ranks: what is left of the epoch stays the same.
        return done * batches // entry['batches']

    def _adopt(self, runner: Runner, saved: dict[str, Any]) -> None:
        assignment = _assignment(runner)
        if len(saved['ranks']) != assignment.replicas:
            runner.logger.warning(
                f'The checkpoint holds random states of {len(saved["ranks"])} ranks, but this run '
                f'has {assignment.replicas}; random numbers will differ from an uninterrupted run.')
            return
        rank = assignment.replica_of(get_rank())
        self._entry = saved
        self._states = saved['ranks'][rank]
        self._pass_start = (saved.get('start') or {rank: None})[rank]
        self._taken_after = self.saved_after = saved.get('iterations', runner.iter)
        _set_gradients(runner, (saved.get('gradients') or {rank: None})[rank] or {})
        _set_buffers(runner, (saved.get('buffers') or {rank: None})[rank] or {})
        sampler = _sampler(runner)
        if saved['sampler_seed'] is not None and hasattr(sampler, 'seed'):
            sampler.seed = saved['sampler_seed']
            if hasattr(sampler, 'set_epoch'):
                sampler.set_epoch(runner.epoch)


def random_state_hook(runner: Runner) -> RandomStateHook | None:
    """Return the runner's hook of this kind, if it has one."""
    return next((hook for hook in runner.hooks if isinstance(hook, RandomStateHook)), None)


def accumulates(runner: Runner) -> bool:
    """Tell whether gradients wait for more iterations before they update the weights."""
    wrapper = runner.optim_wrapper
    wrappers = [wrapper] if isinstance(wrapper, OptimWrapper) else wrapper.optim_wrappers.values()
    return any(each.inner_count % each._accumulative_counts for each in wrappers)


def _bare(runner: Runner) -> nn.Module:
    return runner.model.module if is_model_wrapper(runner.model) else runner.model


def _gradients(runner: Runner) -> dict[str, Tensor]:
    """Return this rank's gradients that no step has used yet."""
    if not accumulates(runner):
        return {}
    return {name: parameter.grad.detach().cpu().clone()
            for name, parameter in _bare(runner).named_parameters() if parameter.grad is not None}


def _set_gradients(runner: Runner, gradients: dict[str, Tensor]) -> None:
    for name, parameter in _bare(runner).named_parameters():
        if name in gradients:
            parameter.grad = torch.empty_like(parameter).copy_(gradients[name])


def _own_buffers(runner: Runner) -> dict[str, Tensor]:
    """Return running statistics of a rank other than the first, whose own are the checkpoint's."""
    if _assignment(runner).replica_of(get_rank()) == 0:
        return {}
    model = runner.model
    owns = model.owns if isinstance(model, LocalPipelineParallel) else lambda name: True
    return {name: buffer.detach().cpu().clone()
            for name, buffer in _bare(runner).named_buffers() if owns(name)}


def _assignment(runner: Runner) -> Assignment:
    """Return which rank trains what; without a pipeline every rank is a replica of the whole."""
    if isinstance(runner.model, LocalPipelineParallel):
        return runner.model.assignment
    return Assignment((range(1),), runner.world_size)


def _by_replica(runner: Runner, ranks: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Join what the stages of each replica hold, so that a run of any layout can take it over."""
    assignment = _assignment(runner)
    joined = []
    for replica in range(assignment.replicas):
        stages = [ranks[assignment.rank_of(stage, replica)]
                  for stage in range(len(assignment.stages))]
        # The first stage reads the data, as one device does.
        joined.append({**stages[0], **{key: {
            name: value for stage in stages for name, value in stage[key].items()}
            for key in ('gradients', 'buffers')}})
    return joined


def _set_buffers(runner: Runner, buffers: dict[str, Tensor]) -> None:
    for name, buffer in _bare(runner).named_buffers():
        if name in buffers and buffers[name].shape == buffer.shape:
            buffer.copy_(buffers[name])


def _sampler(runner: Runner) -> Any:
    """Return the sampler that shuffles; a batch sampler may hold it."""
    loader = runner.train_dataloader
    inner = getattr(loader.batch_sampler, 'sampler', None)
    return inner if hasattr(inner, 'seed') else loader.sampler
