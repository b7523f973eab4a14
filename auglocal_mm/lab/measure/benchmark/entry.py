"""What is benchmarked: configs, each with a name."""
from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from auglocal_mm.config.named import class_of
from auglocal_mm.config.parts import parts_of
from auglocal_mm.registry import LOCAL_RULES

#: Rule of a config -> method, as named in charts.
METHODS = {
    'AugLocal': 'auglocal', 'DGL': 'dgl', 'PredSim': 'predsim', 'InfoPro': 'infopro',
    'Backprop': 'bp'}


@dataclass(frozen=True)
class PaperCost:
    """A row of Table 2: ResNet-110, 32×32 pixels, batch 1024, on the authors' GPU.

    Attributes:
        memory_gb: GPU memory.
        overhead_percent: Wall-clock time over back-propagation's.
        gflops: GFLOPs for one image, including auxiliary networks.
    """
    memory_gb: float
    overhead_percent: float
    gflops: float

    def ratios(self, reference: PaperCost) -> tuple[float, float]:
        """Return time and memory as multiples of another row's."""
        return ((100 + self.overhead_percent) / (100 + reference.overhead_percent),
                self.memory_gb / reference.memory_gb)


@dataclass(frozen=True)
class Entry:
    """A config to benchmark.

    Attributes:
        name: Unique among the entries of a benchmark.
        config: Path of the config.
        options: Settings that override it.
        paper: What the paper reports for it.
        rival: How back-propagation saves memory, a key of :data:`.rivals.RIVALS`; ``None`` for
            the model's own training step.
    """
    name: str
    config: str
    options: dict[str, Any] = field(default_factory=dict)
    paper: PaperCost | None = None
    rival: str | None = None


def config_entries(paths: Sequence[str]) -> tuple[Entry, ...]:
    """Return one entry per config, named by folder and file, or by path if two agree.

    Raises:
        ValueError: A config is given twice.
    """
    short = [f'{Path(path).resolve().parent.name}/{Path(path).stem}' for path in paths]
    names = [path if Counter(short)[name] > 1 else name
             for path, name in zip(paths, short, strict=True)]
    twice = [name for name, count in Counter(names).items() if count > 1]
    if twice:
        raise ValueError(f'each config may be given once, got {", ".join(twice)} again; two '
                         'settings of one config need two files')
    return tuple(Entry(name, path) for name, path in zip(names, paths, strict=True))


def method_of(model: dict[str, Any]) -> str | None:
    """Return the method that a model's config trains by, a key of ``chart.COLORS``.

    Args:
        model: ``cfg.model``.

    Returns:
        ``None`` for a custom rule.
    """
    kind = (model.get('local') or {}).get('type', 'auglocal_mm.Backprop')
    method = METHODS.get(getattr(class_of(kind, LOCAL_RULES), '__name__', ''))
    if method == 'bp' and (parts_of(model).get('backbone') or {}).get('with_cp'):
        return 'checkpoint'
    return method
