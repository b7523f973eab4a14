"""mmengine's iteration-based loop, which resumes exactly where it was."""
from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from mmengine.runner import IterBasedTrainLoop as HostLoop
from mmengine.runner import Runner
from torch import nn

from auglocal_mm.engine.hooks.random_state_hook import random_state_hook
from auglocal_mm.registry import LOOPS

from .batches import Batches
from .exactness import warn_if_inexact
from .shared_out import reads_data, shared_out


@LOOPS.register_module()
class IterBasedTrainLoop(HostLoop):
    """Trains for a number of iterations; a resumed run continues with the next batch.

    After each checkpoint, this run and a run that resumes it both start their data
    loading again, from the next batch and from the saved random states. Arguments are
    those of mmengine's loop; ``fast_forward_on_resume=True``, where mmengine has it,
    begins with the data's first batch again.

    Attributes:
        began: Iterations before the current pass over the data.
        restarts: Whether data loading can start at any batch.
        batches_of_pass: Batches of a pass.
    """

    def __init__(self, runner: Runner, dataloader: Any, *args: Any, **kwargs: Any) -> None:
        super().__init__(runner, shared_out(runner, dataloader), *args, **kwargs)
        self.began: int | None = None
        self._batches = Batches(self.dataloader, reads=reads_data(runner))
        self.restarts = self._batches.fault is None
        self.batches_of_pass = None if self._batches.endless else len(self.dataloader)

    def run(self) -> nn.Module:
        """Launch training."""
        warn_if_inexact(self.runner, self._batches)
        self.runner.call_hook('before_train')
        hook = random_state_hook(self.runner)
        # To hooks the whole run is one epoch, as in mmengine's loop.
        self.runner.call_hook('before_train_epoch')
        done = 0 if getattr(self, 'fast_forward_on_resume', False) else self._iter
        stream = self._stream(done, resumed=True)
        while self._iter < self._max_iters and not self.stop_training:
            self.runner.model.train()
            self.run_iter(next(stream))
            self._decide_current_val_interval()
            if (self.runner.val_loop is not None and self._iter >= self.val_begin
                    and (self._iter % self.val_interval == 0 or self._iter == self._max_iters)):
                self.runner.val_loop.run()
            if self.restarts and hook is not None and hook.saved_after == self._iter:
                hook.restore()
                stream = self._stream(self._iter)
        self.runner.call_hook('after_train_epoch')
        self.runner.call_hook('after_train')
        return self.runner.model

    def _stream(self, done: int, *, resumed: bool = False) -> Iterator[Any]:
        """Yield batches for ever, pass after pass, without the first `done`."""
        if self.batches_of_pass is None:
            yield from self._batches.iterate(done, restart_workers=True)  # Never ends.
        hook = random_state_hook(self.runner)
        length = self.batches_of_pass or 1
        number, position = divmod(done, length)
        first = True
        while True:
            self.began = number * length
            if resumed or position == 0:
                self._draw(number, hook, rewind=position > 0)
            yield from self._batches.iterate(position, restart_workers=first)
            number, position, first = number + 1, 0, False

    def _draw(self, number: int, hook: Any, *, rewind: bool) -> None:
        """Draw the order of pass `number`; in the middle of it, as at its beginning."""
        if number > 0:
            # mmengine's iterator sets it after each pass, but not before the first.
            self._set_epoch(number)
        if hook is not None:
            if rewind:
                hook.rewind()
            hook.begin_pass()
        self._batches.draw()
        if hook is not None and rewind:
            hook.restore()

    def _set_epoch(self, number: int) -> None:
        batch_sampler = self.dataloader.batch_sampler
        for sampler in (self.dataloader.sampler, getattr(batch_sampler, 'sampler', None)):
            if sampler is not None and hasattr(sampler, 'set_epoch'):
                sampler.set_epoch(number)
                return
