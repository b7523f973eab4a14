"""mmengine's epoch-based loop, which also resumes in the middle of an epoch."""
from __future__ import annotations

from typing import Any

from mmengine.runner import EpochBasedTrainLoop as HostLoop
from mmengine.runner import Runner
from torch import nn

from auglocal_mm.engine.hooks.random_state_hook import random_state_hook
from auglocal_mm.registry import LOOPS

from .batches import Batches
from .exactness import warn_if_inexact
from .shared_out import reads_data, shared_out


@LOOPS.register_module()
class EpochBasedTrainLoop(HostLoop):
    """Trains epoch by epoch; a resumed run continues with the batch after its checkpoint.

    A checkpoint may be saved in the middle of an epoch. There, this run and a run that
    resumes it both start their data loading again: from that batch, and from the saved
    random states. So both see the same images with the same augmentation, with any
    number of workers. Arguments are those of mmengine's loop.

    Attributes:
        began: Iterations before the current epoch.
        restarts: Whether data loading can start in the middle of an epoch.
        batches_of_pass: Batches of an epoch.
    """

    _iter: int

    def __init__(self, runner: Runner, dataloader: Any, *args: Any, **kwargs: Any) -> None:
        super().__init__(runner, shared_out(runner, dataloader), *args, **kwargs)
        self.began: int | None = None
        self._batches = Batches(self.dataloader, reads=reads_data(runner))
        self.restarts = self._batches.fault is None
        self.batches_of_pass = len(self.dataloader)
        self._start = 0

    def run(self) -> nn.Module:
        """Launch training."""
        warn_if_inexact(self.runner, self._batches)
        # Before the hooks' before_train, in which RandomStateHook forgets what it has loaded.
        self._start = self._resumed_position()
        return super().run()

    def run_epoch(self) -> None:
        """Train an epoch, or what is left of it."""
        position, self._start = self._start, 0
        self.began = self._iter - position
        hook = random_state_hook(self.runner)
        self.runner.call_hook('before_train_epoch')
        self.runner.model.train()
        if hook is not None:
            if position:
                # The order comes from the states at the beginning of the pass, the images'
                # augmentation from those at the checkpoint.
                hook.rewind()
            hook.begin_pass()
        self._batches.draw()
        if hook is not None and position:
            hook.restore()
        while position < self.batches_of_pass:
            saved = hook is not None and hook.saved_after == self._iter
            for batch in self._batches.iterate(position, restart_workers=saved):
                self.run_iter(position, batch)
                position += 1
                if self.restarts and hook is not None and hook.saved_after == self._iter:
                    hook.restore()
                    break
            else:
                break  # A data set may be shorter than the length that it states.
        self.runner.call_hook('after_train_epoch')
        self._epoch += 1

    def _resumed_position(self) -> int:
        """Return how many batches of the epoch were trained before this run resumed it."""
        if self._iter == 0:  # It may start from the weights of another run.
            return 0
        hook = random_state_hook(self.runner)
        position = None if hook is None else hook.resumed_position(
            self._epoch, self.batches_of_pass)
        if position is None:  # Saved by mmengine's own loop, or without the hook.
            position = self._iter - self._epoch * self.batches_of_pass
        position = position if 0 <= position <= self.batches_of_pass else 0
        if position:
            self.runner.logger.info(
                f'Epoch {self._epoch + 1} continues after batch {position} of '
                f'{self.batches_of_pass}.')
        self._count_from(self._epoch * self.batches_of_pass + position)
        return position

    def _count_from(self, iterations: int) -> None:
        """Count in epochs of this run: with other batches or ranks, the file's were longer."""
        if iterations == self._iter:
            return
        self.runner.logger.warning(
            f'The checkpoint has trained {self._iter} iterations; this run, of '
            f'{self.batches_of_pass} iterations an epoch, counts them as {iterations}. The weights '
            'will differ from an uninterrupted run.')
        self._iter = iterations
        # mmengine has initialised it with the file's number.
        self.runner.optim_wrapper.initialize_count_status(
            self.runner.model, iterations, self._max_iters)
