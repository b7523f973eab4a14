"""What is benchmarked: named configs, and the rows of the paper's Table 2."""
from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from auglocal_mm.config.named import class_of
from auglocal_mm.config.shipped import shipped
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
    """
    name: str
    config: str
    options: dict[str, Any] = field(default_factory=dict)
    paper: PaperCost | None = None


#: Row -> folder of the config, settings, the paper's figures.
TABLE2: dict[str, tuple[str, dict[str, Any], PaperCost]] = {
    'bp': ('bp', {}, PaperCost(9.27, 0.0, 0.25)),
    'checkpoint': ('bp', {'model.backbone.with_cp': True}, PaperCost(3.03, 34.1, 0.25)),
    'predsim': ('predsim', {}, PaperCost(1.54, 65.9, 0.25)),
    'dgl': ('dgl', {}, PaperCost(1.61, 76.2, 0.26)),
    'infopro': ('infopro', {}, PaperCost(3.98, 292.3, 0.34)),
    'auglocal-d2': ('auglocal', {'model.local.depth': 2}, PaperCost(1.71, 87.2, 0.63)),
    'auglocal-d3': ('auglocal', {'model.local.depth': 3}, PaperCost(1.62, 115.9, 0.69)),
    'auglocal-d4': ('auglocal', {'model.local.depth': 4}, PaperCost(1.70, 135.6, 0.80)),
    'auglocal-d5': ('auglocal', {'model.local.depth': 5}, PaperCost(1.71, 180.8, 0.98)),
    'auglocal-d6': ('auglocal', {'model.local.depth': 6}, PaperCost(1.72, 214.6, 1.13)),
}


def table2_entries(only: Sequence[str] | None = None) -> tuple[Entry, ...]:
    """Return the rows of Table 2, in its order.

    Args:
        only: Names of the wanted rows; ``None`` for all.

    Raises:
        ValueError: A name is not a row, or there is no name.
        FileNotFoundError: The configs are not installed with the package.
    """
    unknown = sorted(set(only or ()) - set(TABLE2))
    if unknown or (only is not None and not only):
        raise ValueError(f'--only must name rows of table2, got {", ".join(unknown) or "none"}; '
                         f'there are {", ".join(TABLE2)}')
    return tuple(
        Entry(name, str(shipped(f'configs/{folder}/resnet110_cifar10.py')), dict(options), paper)
        for name, (folder, options, paper) in TABLE2.items() if only is None or name in only)


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
        model: ``cfg.model`` of a classification config.

    Returns:
        ``None`` for a custom rule.
    """
    kind = (model.get('local') or {}).get('type', 'auglocal_mm.Backprop')
    method = METHODS.get(getattr(class_of(kind, LOCAL_RULES), '__name__', ''))
    if method == 'bp' and (model.get('backbone') or {}).get('with_cp'):
        return 'checkpoint'
    return method
