"""Strategies by number of workers as a chart, and schedules as rank × time."""
from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import matplotlib
from matplotlib.axes import Axes
from matplotlib.ticker import FuncFormatter, NullLocator

from auglocal_mm.lab.drawing.chart import (
    COLORS,
    GRID,
    INK,
    MUTED,
    STYLE,
    Chart,
    new_column,
    new_figure,
)
from auglocal_mm.lab.drawing.line_labels import LineEnd, label_ends
from auglocal_mm.lab.drawing.line_styles import line_styles, shades_of
from auglocal_mm.plan import Event

from .report import Report
from .result import NAMES, Result

#: Inches of each rank in a schedule, down to a legible minimum.
_RANK_INCHES, _MOST_INCHES = 0.34, 9.0
#: Share of the picture's width that a work of a step needs for its number to fit.
_LABEL_SHARE = 0.012


def speed_chart(report: Report) -> Chart:
    """Draw throughput by number of workers, as a multiple of BP on one worker."""
    lines: dict[str, dict[int, float]] = {}
    for ranks, row in report.rows.items():
        for name, result in row.items():
            lines.setdefault(name, {})[ranks] = report.speed_up(result)
    lines = {name: lines[name] for name in NAMES if name in lines}
    with matplotlib.rc_context(STYLE):
        figure, axes = new_figure(width=8.4, height=5.2)
        axes.set_xscale('log', base=2)
        axes.set_yscale('log', base=2)
        _draw_ideal(axes, list(report.rows), [
            value for line in lines.values() for value in line.values()])
        _draw_lines(axes, lines)
        axes.set_title('Throughput, as a multiple of back-propagation on 1 worker')
    return Chart('speed', _speed_alt(report, lines), figure)


def _draw_ideal(axes: Axes, workers: Sequence[int], values: Sequence[float]) -> None:
    ends = [min(workers), max(workers)]
    axes.plot(ends, ends, color=MUTED, linewidth=1, linestyle=(0, (1, 2)))
    axes.set_xticks(workers, [f'{ranks:,}' for ranks in workers], fontsize=9)
    axes.xaxis.set_minor_locator(NullLocator())
    axes.yaxis.set_minor_locator(NullLocator())
    axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f'{value:g}'))
    axes.set_xlabel('workers')
    axes.set_ylim(min([*values, 1]) * 0.85, max([*values, 1]) * 1.25)
    axes.set_xlim(ends[0] * 0.9, ends[1] * 1.1)


def _draw_lines(axes: Axes, lines: Mapping[str, Mapping[int, float]]) -> None:
    names = list(lines)
    local = [name for name in names if name.startswith('local')]
    colors = dict(zip(local, shades_of(COLORS['auglocal'], len(local)), strict=True))
    bp = [name for name in names if name not in local]
    colors |= dict(zip(bp, shades_of(COLORS['bp'], len(bp)), strict=True))
    styles = {group[0]: line_styles([f'{kind} {name}' for name in group])
              for kind, group in (('AugLocal', local), ('BP', bp)) if group}
    ends = []
    for group in (local, bp):
        for name in group:
            kind = 'AugLocal' if group is local else 'BP'
            style: dict[str, Any] = {**styles[group[0]][f'{kind} {name}'], 'color': colors[name],
                                     'linewidth': 1.8, 'markersize': 4.5,
                                     'markeredgecolor': 'white', 'markeredgewidth': 0.5}
            line = lines[name]
            axes.plot(list(line), list(line.values()), **style)
            last = max(line)
            ends.append(LineEnd(last, line[last], NAMES[name], style))
    # Labels are placed by the final layout.
    axes.figure.canvas.figure.draw_without_rendering()
    label_ends(axes, ends)


def _speed_alt(report: Report, lines: Mapping[str, Mapping[int, float]]) -> str:
    parts = [f'{NAMES[name]}: {line[max(line)]:.2f} times on {max(line):,}'
             for name, line in lines.items()]
    return ('Throughput by number of workers, as a multiple of back-propagation on one. '
            f'{"; ".join(parts)}.')


def schedule_chart(panels: Sequence[tuple[str, Result]]) -> Chart:
    """Draw what each rank does over time, one panel for each result, on one axis of time.

    Args:
        panels: Title and result; at least one.
    """
    heights = [min(_RANK_INCHES * result.stages, _MOST_INCHES / len(panels)) + 0.55
               for _, result in panels]
    end = max(event.stop for _, result in panels for event in result.events)
    unit, name = (1.0, 's') if end >= 1 else (1e3, 'ms')
    with matplotlib.rc_context(STYLE):
        figure, column = new_column(heights, width=9.0)
        for axes, (title, result) in zip(column, panels, strict=True):
            _draw_ranks(axes, result.events, end * unit, unit)
            axes.set_title(title, fontsize=11, pad=6)
        column[-1].set_xlabel(f'time ({name}); the number is the training step')
    return Chart('schedule', _schedule_alt(panels), figure)


def _draw_ranks(axes: Axes, events: Sequence[Event], end: float, unit: float) -> None:
    ranks = sorted({event.rank for event in events})
    for event in events:
        if event.works:
            axes.barh(event.rank, (event.stop - event.start) * unit, left=event.start * unit,
                      height=0.82, color=_color(event), linewidth=0.4, edgecolor='white')
        elif event.kind == 'average':
            axes.barh(event.rank, (event.stop - event.start) * unit, left=event.start * unit,
                      height=0.28, color=MUTED, linewidth=0)
    for (rank, step), (start, stop) in _steps(events).items():
        if (stop - start) * unit > _LABEL_SHARE * end and len(ranks) <= 24:
            axes.text((start + stop) / 2 * unit, rank, str(step), ha='center', va='center',
                      color=INK, fontsize=8)
    axes.set_ylim(ranks[-1] + 0.6, -0.6)
    axes.set_xlim(0, end)
    axes.set_yticks(ranks if len(ranks) <= 24 else ranks[::max(1, len(ranks) // 12)])
    axes.grid(visible=True, axis='x', color=GRID)
    axes.grid(visible=False, axis='y')
    axes.set_ylabel('rank')


def _steps(events: Sequence[Event]) -> dict[tuple[int, int], tuple[float, float]]:
    """Return when each rank began and ended the work of each step, of local learning only."""
    found: dict[tuple[int, int], tuple[float, float]] = {}
    for event in events:
        if event.kind == 'run':
            start, stop = found.get((event.rank, event.step), (event.start, event.stop))
            found[event.rank, event.step] = min(start, event.start), max(stop, event.stop)
    return found


def _color(event: Event) -> str:
    """Shade steps in turn; forward and backward passes of BP differ as well."""
    if event.kind == 'run':
        return ('#f2b48a', '#f9dcc6')[event.step % 2]
    return {'forward': '#9cc9e6', 'backward': '#4a90c2', 'weights': '#1f5f8f'}[event.kind]


def _schedule_alt(panels: Sequence[tuple[str, Result]]) -> str:
    parts = [f'{title}: {100 * result.bubble:.0f} percent of the time of {result.ranks} ranks is '
             'idle' for title, result in panels]
    return f'What each rank does over time. {"; ".join(parts)}.'
