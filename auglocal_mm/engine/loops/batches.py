"""Which images are in which batch of a pass over the data, from any position on."""
from __future__ import annotations

from collections.abc import Iterator
from itertools import islice, repeat
from typing import Any

import torch
from mmengine.dataset import InfiniteSampler
from torch.utils.data import BatchSampler, DataLoader, IterableDataset


class Batches:
    """A data loader that can start at any batch without loading those before it.

    The order of a pass is drawn before its first batch is loaded. It depends only on
    the random states at that moment, the sampler's seed and its epoch.

    Args:
        loader: The data loader of a training loop.
        reads: Whether this rank loads images. Otherwise batches are empty, and as many.
    """

    def __init__(self, loader: Any, *, reads: bool = True) -> None:
        self.loader = loader
        self._reads = reads
        self._source = _Source()

    @property
    def endless(self) -> bool:
        """Whether the sampler never ends a pass."""
        return isinstance(getattr(self.loader, 'sampler', None), InfiniteSampler) or isinstance(
            getattr(getattr(self.loader, 'batch_sampler', None), 'sampler', None), InfiniteSampler)

    @property
    def fault(self) -> str | None:
        """What forbids to start in the middle exactly; ``None`` if nothing does."""
        loader = self.loader
        if not isinstance(loader, DataLoader):
            return f'train_dataloader is a {type(loader).__name__}, no DataLoader of torch'
        if isinstance(loader.dataset, IterableDataset):
            return f'{type(loader.dataset).__name__} is iterable, so its images have no numbers'
        if self.endless and (type(loader.batch_sampler) is not BatchSampler
                             or not hasattr(loader.sampler, '_indices_of_rank')):
            return (f'{type(loader.batch_sampler).__name__} of an infinite sampler has a state '
                    'of its own')
        return None

    def draw(self) -> None:
        """Draw the order of the next pass."""
        if self.fault is None and not self.endless:
            self._source.batches = list(self._index_sampler)

    def iterate(self, start: int, *, restart_workers: bool = False) -> Iterator[Any]:
        """Return the batches of the pass that was drawn, or of the endless stream.

        Args:
            start: Batches to leave out at the beginning.
            restart_workers: Start persistent workers again, so that their random
                states do not depend on what they loaded before.
        """
        if not self._reads:
            # A loader draws its workers' seed here, and generators are to stay alike.
            torch.empty((), dtype=torch.int64).random_()
            if self.endless:
                return repeat(None)
            # A batch sampler may yield fewer batches than the length that it states.
            drawn = self._source.batches if self.fault is None else self.loader
            return repeat(None, len(drawn) - start)
        if self.fault is not None:
            return islice(iter(self.loader), start, None)
        if restart_workers and self.loader.persistent_workers:
            # torch keeps the workers here from pass to pass.
            self.loader._iterator = None
        if self.endless:
            sampler = self.loader.sampler
            # What the sampler's own `skip` does, which mmengine 0.10.7 lacks.
            sampler.indices = islice(
                sampler._indices_of_rank(), start * self.loader.batch_size, None)
            return iter(self.loader)
        self._source.start = start
        key = 'sampler' if self.loader.batch_sampler is None else 'batch_sampler'
        whole = getattr(self.loader, key)
        # torch forbids to replace it for good, and others ask it for its length and its sampler.
        self.loader.__dict__[key] = self._source
        try:
            return iter(self.loader)
        finally:
            self.loader.__dict__[key] = whole

    @property
    def _index_sampler(self) -> Any:
        return self.loader.sampler if self.loader.batch_sampler is None else (
            self.loader.batch_sampler)


class _Source:
    """The numbers of the images of each batch that is left; persistent workers keep it."""

    def __init__(self) -> None:
        self.batches: list[Any] = []
        self.start = 0

    def __iter__(self) -> Iterator[Any]:
        return iter(self.batches[self.start:])

    def __len__(self) -> int:
        return len(self.batches)
