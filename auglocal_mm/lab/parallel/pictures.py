"""Strategies by number of workers as a chart, and schedules as rank × time."""
from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import matplotlib
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Patch
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
from auglocal_mm.lab.drawing.line_styles import line_styles, shades_of
from auglocal_mm.plan import Event

from .report import Report
from .result import NAMES, Result

#: Inches of each rank in a schedule, down to a legible minimum.
_RANK_INCHES, _MOST_INCHES = 0.34, 9.0
#: Number of ranks up to which each is named and its steps are numbered.
_NAMED_RANKS = 24
#: Colours of local learning, step by step, and of what else a rank does.
_RUN = ('#f2b48a', '#f9dcc6')
_PASSES = {'forward': '#9cc9e6', 'backward': '#4a90c2', 'weights': '#1f5f8f', 'average': MUTED}


def speed_chart(report: Report) -> Chart:
    """Draw throughput by number of workers, as a multiple of BP on one worker."""
    lines: dict[str, dict[int, float]] = {}
    for ranks, row in report.rows.items():
        for name, result in row.items():
            lines.setdefault(name, {})[ranks] = report.speed_up(result)
    lines = {name: lines[name] for name in NAMES if name in lines}
    with matplotlib.rc_context(STYLE):
        figure, axes = new_figure(width=9.0, height=5.2)
        axes.set_xscale('log', base=2)
        axes.set_yscale('log', base=2)
        _draw_ideal(axes, list(report.rows), [
            value for line in lines.values() for value in line.values()])
        _draw_lines(axes, lines)
        axes.set_title('Throughput, as a multiple of back-propagation on 1 worker')
    return Chart('speed', _speed_alt(report, lines), figure)


def _draw_ideal(axes: Axes, workers: Sequence[int], values: Sequence[float]) -> None:
    ends = [min(workers), max(workers)]
    axes.plot(ends, ends, color=MUTED, linewidth=1, linestyle=(0, (1, 2)),
              label='BP, times workers')
    axes.set_xticks(workers, [f'{ranks:,}' for ranks in workers], fontsize=9)
    axes.xaxis.set_minor_locator(NullLocator())
    axes.yaxis.set_minor_locator(NullLocator())
    axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f'{value:g}'))
    axes.set_xlabel('workers')
    axes.set_ylim(min([*values, 1]) * 0.85, max([*values, 1]) * 1.25)
    axes.set_xlim(ends[0] * 0.9, ends[1] * 1.1)


def _draw_lines(axes: Axes, lines: Mapping[str, Mapping[int, float]]) -> None:
    styles = _styles()
    for name, line in lines.items():
        axes.plot(list(line), list(line.values()), label=NAMES[name], linewidth=1.8, markersize=4.5,
                  markeredgecolor='white', markeredgewidth=0.5, **styles[name])
    # Lines end at different numbers of workers, so labels at their ends would be far away.
    axes.figure.legend(loc='outside right center', frameon=False, fontsize=10, handlelength=3.2)


def _styles() -> dict[str, dict[str, Any]]:
    """Return the style of each strategy, the same whichever of them are drawn."""
    styles: dict[str, dict[str, Any]] = {}
    for rule, kind in (('auglocal', 'local'), ('bp', 'bp')):
        names = [name for name in NAMES if name.startswith(kind)]
        named = line_styles([f'{rule} {name}' for name in names])
        # The first of each kind has the rule's own colour.
        light, dark = (shades_of(COLORS[rule], 3)[index] for index in (0, 2))
        colors = [COLORS[rule], light, dark, *shades_of(COLORS[rule], 5)[1::2]]
        styles |= {name: {**named[f'{rule} {name}'], 'color': color}
                   for name, color in zip(names, colors, strict=False)}
    return styles


def _speed_alt(report: Report, lines: Mapping[str, Mapping[int, float]]) -> str:
    parts = [f'{NAMES[name]}: {line[max(line)]:.2f} times on {max(line):,}'
             for name, line in lines.items()]
    return ('Throughput by number of workers, as a multiple of back-propagation on one. '
            f'{"; ".join(parts)}.')


def schedule_chart(panels: Sequence[tuple[str, Result]], *, seconds: float) -> Chart:
    """Draw what each rank does over time, one panel for each result, on one axis of time.

    Args:
        panels: Title and result; at least one.
        seconds: How much of the time is drawn.
    """
    heights = [min(_RANK_INCHES * result.stages, _MOST_INCHES / len(panels)) + 0.5
               for _, result in panels]
    unit, name = (1.0, 's') if seconds >= 1 else (1e3, 'ms')
    with matplotlib.rc_context(STYLE):
        figure, column = new_column(heights, width=9.0)
        for axes, (title, result) in zip(column, panels, strict=True):
            _draw_ranks(axes, [event for event in result.events if event.start < seconds], unit)
            axes.set_title(title, fontsize=11, pad=6)
            axes.set_xlim(0, seconds * unit)
            axes.tick_params(labelbottom=axes is column[-1])
        column[-1].set_xlabel(f'time ({name}); the number is the training step')
        _explain(figure, [result for _, result in panels])
    return Chart('schedule', _schedule_alt(panels), figure)


def trace_chart(events: Sequence[Event]) -> Chart:
    """Draw what the ranks of a local pipeline were seen to do, as a simulation is drawn.

    Args:
        events: At least one of kind ``'run'``.
    """
    stop = max(event.stop for event in events)
    ranks = {event.rank for event in events}
    work = sum(event.stop - event.start for event in events if event.kind == 'run')
    unit, name = (1.0, 's') if stop >= 1 else (1e3, 'ms')
    idle = f'{100 * (1 - work / (len(ranks) * stop)):.0f} % idle, filling and draining included'
    with matplotlib.rc_context(STYLE):
        figure, (axes,) = new_column([_RANK_INCHES * len(ranks) + 0.5], width=9.0)
        _draw_ranks(axes, events, unit)
        axes.set_title(f'Local pipeline of {len(ranks)} ranks, measured: {idle}', fontsize=11,
                       pad=6)
        axes.set_xlim(0, stop * unit)
        axes.set_xlabel(f'time ({name}); the number is the training step')
    return Chart('trace', f'What each rank was seen to do over time: {idle}.', figure)


def _draw_ranks(axes: Axes, events: Sequence[Event], unit: float) -> None:
    bars: dict[tuple[int, str, bool], list[tuple[float, float]]] = {}
    for event in events:
        color = _color(event)
        if color is not None:
            bars.setdefault((event.rank, color, event.works), []).append(
                (event.start * unit, (event.stop - event.start) * unit))
    for (rank, color, works), spans in bars.items():
        height = 0.82 if works else 0.28
        # An edge would hide the short passes of micro-batches.
        edge = 0.5 if color in _RUN else 0.0
        axes.broken_barh(spans, (rank - height / 2, height), facecolor=color, edgecolor='white',
                         linewidth=edge)
    ranks = sorted({event.rank for event in events})
    few = len(ranks) <= _NAMED_RANKS
    for (rank, step), (start, stop) in _steps(events).items() if few else ():
        axes.text((start + stop) / 2 * unit, rank, str(step), ha='center', va='center',
                  color=INK, fontsize=8, clip_on=True)
    axes.set_ylim(ranks[-1] + 0.6, -0.6)
    axes.set_yticks(ranks if few else ranks[::len(ranks) // 8])
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


def _color(event: Event) -> str | None:
    """Shade the steps of local learning in turn; other work by its kind; nothing for a wait."""
    return _RUN[event.step % 2] if event.kind == 'run' else _PASSES.get(event.kind)


def _explain(figure: Figure, results: Sequence[Result]) -> None:
    kinds = {key.kind for result in results for key in result.spans}
    names = {'run': 'a module, forward and backward', 'forward': 'forward',
             'backward': 'backward', 'weights': 'gradients of weights', 'average': 'average'}
    colors = {'run': _RUN[0], **_PASSES}
    averaged = any(result.replicas > 1 for result in results)
    figure.legend(handles=[Patch(color=colors[kind], label=name) for kind, name in names.items()
                           if kind in kinds and (kind != 'average' or averaged)],
                  loc='outside lower center', ncols=5, frameon=False, fontsize=9)


def _schedule_alt(panels: Sequence[tuple[str, Result]]) -> str:
    parts = [f'{title}: {100 * result.bubble:.0f} percent of the time of {result.ranks} ranks is '
             'idle' for title, result in panels]
    return f'What each rank does over time. {"; ".join(parts)}.'
