"""Tables as data: rows, their configs and the figures that the paper prints."""
from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace


@dataclass(frozen=True)
class Published:
    """A figure that the paper prints; `std` is None if it prints no spread."""

    mean: float
    std: float | None = None


@dataclass(frozen=True)
class Metric:
    """One quantity of a table.

    Attributes:
        key: Its name in a run's validation, e.g. ``accuracy/top1``.
        label: Its name in the table, with the unit.
        digits: Decimals shown.
        factor: Conversion from the run's unit to the table's.
    """

    key: str
    label: str
    digits: int = 2
    factor: float = 1.0


TOP1 = Metric('accuracy/top1', 'top-1 (%)')
FLOPS = Metric('flops', 'FLOPs (G)', factor=1e-9)
MEMORY = Metric('memory_ratio', 'memory of BP (%)', digits=1, factor=100)
OVERHEAD = Metric('time_overhead', 'time over BP (%)', digits=1, factor=100)
BOX_AP = Metric('coco/bbox_mAP', 'box AP', digits=1, factor=100)
MASK_AP = Metric('coco/segm_mAP', 'mask AP', digits=1, factor=100)


@dataclass(frozen=True)
class Row:
    """One line of a table, or one cell of a grid.

    Attributes:
        name: Its name for ``--only``.
        label: Its name in the table.
        rule: Key of its colour in :data:`auglocal_mm.lab.drawing.chart.COLORS`.
        config: Its config, below ``configs/``.
        options: ``--cfg-options`` that turn the config into this row's.
        paper: Figures that the paper prints, by metric key.
        cost: Time relative to BP, for the estimate of the time left.
        detector: Config that is trained on the exported backbone, if the row has one.
        same_as: Name of the row that computes the same and whose runs are used.
    """

    name: str
    label: str
    rule: str
    config: str
    options: tuple[str, ...] = ()
    paper: Mapping[str, Published] = field(default_factory=dict)
    cost: float = 1.0
    detector: str | None = None
    same_as: str | None = None

    @property
    def key(self) -> str:
        """Folder of its runs; rows of several tables that need the same run share it."""
        settings = [option.removeprefix('model.').removeprefix('local.').replace('=', '-')
                    for option in self.options]
        rule, _, config = self.config.removesuffix('.py').partition('/')
        return '_'.join([config, rule, *settings])


@dataclass(frozen=True)
class Claim:
    """The claim that the row `better` is above the row `worse`, as in the paper."""

    better: str
    worse: str


@dataclass(frozen=True)
class Table:
    """One table or figure.

    Attributes:
        name: Its name on the command line.
        title: What it shows.
        metrics: Its columns; claims refer to the first.
        rows: Its lines.
        claims: Orderings of the paper's figures.
        trained: Whether its figures come from training; otherwise they are counted.
        note: A note for readers, or nothing.
        selected: Whether rows were left out.
    """

    name: str
    title: str
    metrics: tuple[Metric, ...]
    rows: tuple[Row, ...]
    claims: tuple[Claim, ...] = ()
    trained: bool = True
    note: str = ''
    selected: bool = False

    def select(self, names: list[str] | None) -> Table:
        """Return the table with only the named rows.

        Raises:
            ValueError: A name is unknown.
        """
        if names is None:
            return self
        known = [row.name for row in self.rows]
        unknown = [name for name in names if name not in known]
        if unknown:
            raise ValueError(f'table {self.name} has no row {", ".join(unknown)}; '
                             f'it has {", ".join(known)}')
        rows = tuple(row for row in self.rows if row.name in names)
        claims = tuple(claim for claim in self.claims
                       if claim.better in names and claim.worse in names)
        lost = [row.same_as for row in rows if row.same_as and row.same_as not in names]
        if lost:
            raise ValueError(f'a chosen row uses the runs of {", ".join(lost)}; also choose '
                             'that row')
        return replace(self, rows=rows, claims=claims, selected=len(rows) < len(self.rows))

    @property
    def benchmarked(self) -> bool:
        """Whether memory and time are among its columns."""
        return MEMORY in self.metrics and any(row.name == 'bp' for row in self.rows)
