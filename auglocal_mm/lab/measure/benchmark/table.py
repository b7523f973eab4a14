"""The benchmark as a Markdown table, with the paper's columns beside ours."""
from __future__ import annotations

from collections.abc import Sequence

from auglocal_mm.lab.measure.system import hardware, versions
from auglocal_mm.lab.pages.text_table import markdown_table

from .row import Row

COLUMNS = ('', 'seconds per step', 'time', 'CPU time', 'saved MiB', 'saved', 'made MiB', 'made',
           'live MiB', 'live', 'peak MiB', 'peak', 'images/s', 'params M', 'auxiliary M', 'GFLOPs')
PAPER_COLUMNS = ('paper: time', 'paper: GB', 'paper: memory', 'paper: GFLOPs')
LEGEND = """\
Median of the timed steps, with quartiles in brackets. Data is synthetic, so times exclude loading.
`CPU time` is the processor time of the process; other processes do not affect it.
`saved`: what autograd keeps for backward passes, each storage once. What non-reentrant
checkpointing (`recompute`) computes a second time, or keeps selectively, is not part of it.
`made`: all that a step's operations make and hold, gradients included, weights and optimizer
state not. `live`: everything, weights, optimizer state, buffers and batch included (on CUDA, what
the allocator saw). `peak`: {peak}.
Ratios (columns without a unit) are relative to {reference}; that of `peak` excludes what the
process held before it built the model."""
PEAKS = {True: "the process's resident memory", False: "CUDA's largest allocation"}
PAPER_LEGEND = """\
`paper`: Table 2 of the paper, ResNet-110 at batch 1024 on the authors' GPU."""


def markdown(rows: Sequence[Row], *, command: str, on_cpu: bool) -> str:
    """Render the command, hardware, versions and settings, then the table.

    Args:
        rows: All rows, including those that failed.
        command: The command that was run.
        on_cpu: Whether steps ran on the CPU.
    """
    paper = any(row.paper for row in rows)
    columns = [*COLUMNS, *(PAPER_COLUMNS if paper else ())]
    done = [row for row in rows if row.error is None]
    lines = ['# Training benchmark', '', f'`{command}`', '', *facts(done, on_cpu=on_cpu), '',
             markdown_table(columns, [_cells(row, paper=paper) for row in done]), '',
             *(f'{row.name}: no figures, {row.error}' for row in rows if row.error)]
    if done:
        reference = done[0].reference
        lines += ['', LEGEND.format(peak=PEAKS[on_cpu], reference=f'`{reference}`')]
    if paper:
        lines += ['', PAPER_LEGEND]
    # An absent part leaves two blank lines.
    return '\n'.join(lines).replace('\n\n\n', '\n\n') + '\n'


def facts(rows: Sequence[Row], *, on_cpu: bool) -> list[str]:
    """Describe hardware, versions and settings."""
    machine, names = hardware(), versions()
    device = f'{machine["cpu"]}, {machine["cores"]} cores'
    if not on_cpu:
        device = f'{machine["accelerator"]}; {device}'
    settings = sorted({_setting(row) for row in rows})
    return [f'{device}. ' + ', '.join(
        f'{name} {names[name]}' for name in ('python', 'torch', 'mmengine', 'mmpretrain', 'mmdet')
        if name in names) + '.', *settings]


def _setting(row: Row) -> str:
    measured = row.measured
    threads = measured['threads']
    return (f'Batch {measured["batch_size"]} of {"×".join(map(str, measured["image"]))}, '
            f'{measured["precision"]}, {threads} {"thread" if threads == 1 else "threads"}; '
            f'n = {len(row.seconds)} steps of each, in turns.')


def _cells(row: Row, *, paper: bool) -> list[str]:
    data = row.to_dict()
    cells = [
        row.name,
        f'{_digits(data["step_seconds"])} [{_digits(data["step_seconds_q1"])}, '
        f'{_digits(data["step_seconds_q3"])}]',
        f'{data["time_ratio"]:.2f}', f'{data["cpu_time_ratio"]:.2f}',
        f'{data["saved_activations_mb"]:.1f}', f'{data["memory_ratio"]:.3f}',
        f'{data["made_peak_mb"]:.1f}', f'{data["made_ratio"]:.3f}',
        f'{data["live_peak_mb"]:.1f}', f'{data["live_peak_ratio"]:.3f}',
        f'{data["peak_memory_mb"]:.0f}',
        f'{data["peak_ratio"]:.2f}' if data['peak_ratio'] is not None else '–',
        _digits(data['images_per_second']), f'{data["backbone_params"] / 1e6:.2f}',
        f'{data["auxiliary_params"] / 1e6:.2f}',
        f'{data["flops"] / 1e9:.3f}' if data['flops'] is not None else '–']
    if not paper:
        return cells
    if row.paper is None:
        return [*cells, '', '', '', '']
    return [*cells, f'{data["paper_time_ratio"]:.2f}', f'{row.paper.memory_gb:.2f}',
            f'{data["paper_memory_ratio"]:.3f}', f'{row.paper.gflops:.2f}']


def _digits(value: float) -> str:
    """Format three digits, or all digits of a larger number."""
    # `#` keeps zeros at the end: 0.500.
    return f'{value:#.3g}' if value < 99.5 else f'{value:,.0f}'
