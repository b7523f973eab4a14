"""Saved activations: the memory that a training step keeps for its backward pass.

``python -m auglocal_mm.lab.measure.memory CONFIG`` prints the figure of a
classification config at its own batch size.
"""
import argparse
import json
from collections.abc import Callable, Iterable
from types import TracebackType
from typing import Any

from torch import Tensor, nn
from torch.autograd.graph import saved_tensors_hooks

from auglocal_mm.config.parts import with_preprocessor
from auglocal_mm.files import write_text

BYTES_PER_MIB = 2**20


class _Packed:
    """One tensor that autograd saved; tells its counter when it is freed."""

    def __init__(self, tensor: Tensor, counter: 'SavedActivations') -> None:
        # Detached, so that a saved output does not keep its own node alive.
        self.tensor = tensor.detach()
        self._counter = counter
        counter._hold(self.tensor)

    def __del__(self) -> None:
        self._counter._release(self.tensor)


class SavedActivations:
    """Counts, while entered, the bytes of all storages that autograd keeps.

    A storage counts once however many operations saved it (or views of it), from
    the first save until the last one is freed. The input batch counts, because the
    first convolution keeps it alive. Storages of ``excluded`` never count.

    What gradient checkpointing recomputes during the backward pass counts if it is
    reentrant, like OpenMMLab's ``with_cp``. During recomputation, torch's non-reentrant
    form puts its own hooks before these, so only the inputs that it keeps count.

    Args:
        excluded: Tensors whose storages exist anyway: parameters, buffers.

    Attributes:
        live_bytes: Number of bytes kept now.
        peak_bytes: Largest number of bytes kept at any time.
    """

    def __init__(self, excluded: Iterable[Tensor] = ()) -> None:
        self.live_bytes = 0
        self.peak_bytes = 0
        self._excluded = {_storage_key(tensor) for tensor in excluded}
        self._holders: dict[tuple[str, int], int] = {}
        self._hooks = saved_tensors_hooks(self._pack, _unpack)

    def __enter__(self) -> 'SavedActivations':
        self._hooks.__enter__()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._hooks.__exit__(kind, error, trace)

    def _pack(self, tensor: Tensor) -> '_Packed | Tensor':
        if _storage_key(tensor) in self._excluded:
            return tensor
        return _Packed(tensor, self)

    def _hold(self, tensor: Tensor) -> None:
        key = _storage_key(tensor)
        holders = self._holders.get(key, 0)
        self._holders[key] = holders + 1
        if holders == 0:
            self.live_bytes += tensor.untyped_storage().nbytes()
            self.peak_bytes = max(self.peak_bytes, self.live_bytes)

    def _release(self, tensor: Tensor) -> None:
        key = _storage_key(tensor)
        self._holders[key] -= 1
        if self._holders[key] == 0:
            del self._holders[key]
            self.live_bytes -= tensor.untyped_storage().nbytes()


def _unpack(packed: '_Packed | Tensor') -> Tensor:
    return packed.tensor if isinstance(packed, _Packed) else packed


def _storage_key(tensor: Tensor) -> tuple[str, int]:
    # An address is unique among living storages of a device, and every storage
    # that we count is kept alive by the count itself.
    return str(tensor.device), tensor.untyped_storage().data_ptr()


def saved_activations_mb(step: Callable[[], Any], *, exclude: nn.Module | None = None) -> float:
    """Measure the peak memory that autograd keeps during one training step.

    This is the part of training memory that local learning reduces: what the forward
    pass saves for the backward pass. It does not depend on the allocator, so it is the
    same on every machine. It does not include gradients, optimizer state, parameters,
    buffers and activations that no operation saved. It includes the input batch, which
    the first convolution saves.

    Args:
        step: Runs one whole step, forward and backward, and keeps no graph.
        exclude: Model whose parameters and buffers do not count.

    Returns:
        Mebibytes (2**20 bytes); the suffix ``_mb`` is customary in the field.

    Raises:
        RuntimeError: The step left a graph alive, so its peak would be meaningless.
    """
    excluded = [*exclude.parameters(), *exclude.buffers()] if exclude is not None else []
    counter = SavedActivations(excluded)
    with counter:
        step()
    if counter.live_bytes:
        raise RuntimeError(
            f'saved activations must be 0 bytes after the step, got {counter.live_bytes}: '
            'the step keeps a graph; run backward in it and return no loss with a graph'
        )
    return counter.peak_bytes / BYTES_PER_MIB


def training_memory_mb(config: Any, *, batch_size: int | None = None) -> float:
    """Measure the saved activations of one training step of a classification config.

    The function builds the model and one batch of its training data, and takes one step
    with its optimizer, on the CPU.

    Args:
        config: A ``mmengine.Config`` with ``model``, ``train_dataloader`` and
            ``optim_wrapper``.
        batch_size: Images in the batch; by default the config's own.

    Returns:
        Mebibytes; see :func:`saved_activations_mb`.
    """
    from mmengine.optim import build_optim_wrapper
    from mmengine.registry import MODELS, init_default_scope
    from mmengine.runner import Runner

    init_default_scope(config.get('default_scope', 'mmpretrain'))
    # One batch needs no workers, and torch refuses to keep them if there are none.
    loader = dict(config.train_dataloader, num_workers=0, persistent_workers=False)
    if batch_size is not None:
        loader['batch_size'] = batch_size
    model = MODELS.build(with_preprocessor(config))
    model.init_weights()
    model.train()
    optim_wrapper = build_optim_wrapper(model, config.optim_wrapper)
    batch = next(iter(Runner.build_dataloader(loader, seed=0)))
    return saved_activations_mb(lambda: model.train_step(batch, optim_wrapper), exclude=model)


def main(arguments: list[str] | None = None) -> None:
    """Run the command line: measure a config, print or write JSON."""
    from mmengine.config import Config

    parser = argparse.ArgumentParser(description='Saved activations of one training step')
    parser.add_argument('config', help='classification config')
    parser.add_argument('--batch-size', type=int, help="images in the batch (the config's own)")
    parser.add_argument('--out', help='JSON file to write')
    options = parser.parse_args(arguments)
    config = Config.fromfile(options.config)
    measured = training_memory_mb(config, batch_size=options.batch_size)
    text = json.dumps({
        'saved_activations_mb': measured,
        'batch_size': options.batch_size or config.train_dataloader.batch_size,
    })
    print(text)
    if options.out:
        write_text(text + '\n', options.out)


if __name__ == '__main__':
    main()
