"""How a benchmark runs: sizes, device, precision, rounds."""
from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from auglocal_mm.validation import Faults


@dataclass(frozen=True)
class Settings:
    """The settings that apply to every entry of a benchmark.

    Attributes:
        batch_size: Images per step; ``None`` takes each config's own.
        shape: Height and width of the images in pixels, or one number for both;
            ``None`` takes the size from each config's data pipelines.
        device: ``'cpu'``, ``'cuda'`` or ``'cuda:<index>'``.
        amp: Mixed precision, as in ``tools/train.py --amp``.
        threads: Threads of each process on the CPU; ``None`` keeps PyTorch's default.
        rounds: Number of timed steps of each config.
        warmup: Number of untimed steps of each config before them.
        apart: One config after another instead of in turns, if memory cannot hold all of
            them at once.
        options: Settings that override every config; an entry's own override these.

    Raises:
        ValueError: Values are impossible; the error lists all of them.
    """
    batch_size: int | None = None
    shape: Sequence[int] | None = None
    device: str = 'cpu'
    amp: bool = False
    threads: int | None = None
    rounds: int = 20
    warmup: int = 3
    apart: bool = False
    options: dict[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        faults = Faults('the benchmark')
        for option, value, least in (
                ('--batch-size', self.batch_size, 1), ('--threads', self.threads, 1),
                ('--rounds', self.rounds, 1), ('--warmup', self.warmup, 0)):
            faults.add_unless(value is None or value >= least,
                              f'{option} must be at least {least}, got {value}')
        kind, _, index = self.device.partition(':')
        faults.add_unless(
            self.device == 'cpu' or (kind == 'cuda' and (index.isdigit() or self.device == kind)),
            f"--device must be cpu, cuda or cuda:<index>, got '{self.device}'")
        faults.raise_if_any()

    @property
    def on_cpu(self) -> bool:
        """Whether steps run on the CPU."""
        return self.device == 'cpu'


def default_device() -> str:
    """Return ``'cuda'`` if a CUDA device is available, else ``'cpu'``."""
    # Not at the top: a worker loads this file before it can silence torch.
    import torch

    return 'cuda' if torch.cuda.is_available() else 'cpu'


def require_device(device: str) -> None:
    """Refuse a device that does not exist.

    Raises:
        ValueError: This machine lacks the CUDA device.
    """
    import torch

    count = torch.cuda.device_count()
    if device != 'cpu' and int(device.partition(':')[2] or 0) >= count:
        raise ValueError(f'--device {device} does not exist: {count} CUDA devices were found; '
                         'use --device cpu')
