"""Where the bytes of a training step are, as stacked bars; and how they grow with depth."""
from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import matplotlib
from matplotlib.axes import Axes
from matplotlib.ticker import FuncFormatter, LogLocator, MaxNLocator, NullLocator

from auglocal_mm.lab.drawing.chart import INK, MUTED, PART_COLORS, STYLE, Chart, new_row
from auglocal_mm.lab.drawing.line_labels import LineEnd, label_ends
from auglocal_mm.lab.drawing.line_styles import line_styles
from auglocal_mm.lab.measure.live_memory import PARTS

from .counting import Counted
from .presets import LABELS
from .row import Row


@dataclass(frozen=True)
class Bars:
    """One panel of stacked bars.

    Attributes:
        batch: Images per step.
        parts_mb: Name of a row -> mebibytes by part; the first is what others compare with.
    """
    batch: int
    parts_mb: Mapping[str, Mapping[str, float]]


def bars_of_rows(rows: Sequence[Row]) -> list[Bars]:
    """Return the one panel of a benchmark."""
    done = sorted((row for row in rows if row.error is None),
                  key=lambda row: (row.name != row.reference, *_family(row.method)))
    return [Bars(done[0].measured['batch_size'],
                 {row.name: row.measured['live_parts_mb'] for row in done})]


def bars_of_counts(rows: Sequence[Counted]) -> list[Bars]:
    """Return one panel per batch size."""
    ordered = sorted(rows, key=lambda row: _family(row.method))
    return [Bars(batch, {row.name: row.peaks[batch].parts_mb for row in ordered})
            for batch in rows[0].batches]


def _family(method: str | None) -> tuple[bool, bool]:
    """Sort BP before its variants, and these before everything else."""
    return method != 'bp', method is None or not (
        method == 'checkpoint' or method.startswith('bp'))


def memory_parts(panels: Sequence[Bars]) -> Chart:
    """Draw where the bytes are at the peak of a step: a bar per row, a panel per batch size."""
    names = list(panels[0].parts_mb)
    with matplotlib.rc_context({**STYLE, 'axes.grid.axis': 'x', 'axes.spines.left': False}):
        figure, row = new_row(len(panels), width=2.6 + 3.9 * len(panels),
                              height=1.5 + 0.34 * len(names))
        for axes, panel in zip(row, panels, strict=True):
            _draw_bars(axes, panel)
            axes.set_title(f'batch {panel.batch:,}')
            axes.set_yticks(range(len(names)), [LABELS.get(name, name) for name in names]
                            if axes is row[0] else [], color=INK)
        handles, labels = row[0].get_legend_handles_labels()
        figure.legend(handles, labels, loc='outside lower center', ncols=len(PARTS),
                      frameon=False, labelcolor=INK, handlelength=1, handleheight=1,
                      columnspacing=1.4)
    said = '; '.join(
        f'batch {panel.batch}: ' + ', '.join(
            f'{name} {sum(parts.values()):,.0f} MiB, most of it {max(parts, key=parts.__getitem__)}'
            for name, parts in panel.parts_mb.items()) for panel in panels)
    return Chart('memory_parts', f'What the bytes are held for at the peak of a training step: '
                 f'{said}.', figure)


def _draw_bars(axes: Axes, panel: Bars) -> None:
    totals = [sum(parts.values()) for parts in panel.parts_mb.values()]
    for index, parts in enumerate(panel.parts_mb.values()):
        left = 0.0
        for part in PARTS:
            axes.barh(index, parts[part], left=left, height=0.72, color=PART_COLORS[part],
                      label=part if index == 0 else None)
            left += parts[part]
        share = f'  {left:,.0f}' + (f'  ({left / totals[0]:.2f})' if index else '')
        axes.text(left, index, share, va='center', ha='left', color=INK, fontsize=9)
    axes.set_xlim(0, max(totals) * 1.28)
    axes.set_ylim(len(totals) - 0.4, -0.6)
    axes.set_xlabel('MiB (share of BP)' if 'bp' in panel.parts_mb else 'MiB (share of the first)')
    axes.xaxis.set_major_locator(MaxNLocator(4))
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f'{value:,.0f}'))
    axes.tick_params(axis='y', length=0)


def memory_depth(rows: Sequence[Counted]) -> Chart:
    """Draw the live memory of a step against the depth of the backbone: a panel per batch size.

    Args:
        rows: Rows of several depths.
    """
    names = list(dict.fromkeys(row.name for row in rows))
    batches = rows[0].batches
    labels = {name: LABELS.get(name, name) for name in names}
    styles = line_styles([labels[name] for name in names])
    with matplotlib.rc_context({**STYLE, 'axes.grid.axis': 'both'}):
        figure, row = new_row(len(batches), width=1.6 + 5.2 * len(batches), height=4.6)
        for axes, batch in zip(row, batches, strict=True):
            ends = []
            for name in names:
                points = sorted((each.depth or 0, each.peaks[batch].total_mb)
                                for each in rows if each.name == name)
                style = styles[labels[name]]
                axes.plot(*zip(*points, strict=True), **style, markersize=5)
                ends.append(LineEnd(*points[-1], labels[name], style))
            _scale(axes, sorted({each.depth or 0 for each in rows}))
            axes.set_title(f'batch {batch:,}')
            axes.set_xlabel('depth of the network')
            axes.set_ylabel('MiB alive at the peak')
            label_ends(axes, ends)
    said = '; '.join(f'{each.name} of depth {each.depth} {each.peaks[batches[-1]].total_mb:,.0f}'
                     for each in rows)
    return Chart('memory_depth', 'Live memory of a training step in MiB against the depth of the '
                 f'network, batch {batches[-1]}: {said}.', figure)


def _scale(axes: Axes, depths: Sequence[int]) -> None:
    axes.set_xscale('log')
    axes.set_yscale('log')
    axes.set_xticks(depths, [str(depth) for depth in depths])
    axes.xaxis.set_minor_locator(NullLocator())
    axes.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
    axes.yaxis.set_minor_locator(NullLocator())
    axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f'{value:,.0f}'))
    axes.tick_params(axis='x', labelcolor=MUTED)
