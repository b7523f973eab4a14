"""Counted memory as Markdown tables."""
from __future__ import annotations

from collections.abc import Sequence

from auglocal_mm.lab.measure.live_memory import PARTS
from auglocal_mm.lab.pages.text_table import markdown_table

from .counting import Counted, least_batches, reference_of

LEGEND = """\
`live`: everything that is alive at the peak of a step, in MiB. `made`: what the step itself has
made of it, so without parameters, optimizer state, buffers and batch. The other columns are the
parts of `live`: activations are what forward passes make, also where they run a second time; the
rest is what backward passes and the optimizer make for a moment, and the batch. The inside of
operators is not counted. Counts depend on neither machine nor allocator; they follow from three
small batches, because every tensor of a step has a fixed size or grows with the batch or with its
square."""
LEAST = """\
The batch size from which on a row needs less memory than another (up to 4,096; – never):"""


def memory_markdown(rows: Sequence[Counted], *, command: str) -> str:
    """Render the command and one table per batch size; the last compares every pair of rows.

    Args:
        rows: What was counted.
        command: The command that was run.
    """
    lines = ['# Memory of a training step', '', f'`{command}`', '']
    for batch in rows[0].batches:
        lines += [f'## Batch {batch}', '', _table(rows, batch), '']
    if all(row.depth is None for row in rows) and len(rows) > 1:
        lines += ['## From which batch size on', '', LEAST, '', _least(rows), '']
    return '\n'.join([*lines, LEGEND, ''])


def _table(rows: Sequence[Counted], batch: int) -> str:
    by_depth = any(row.depth is not None for row in rows)
    header = ['', *(['depth'] if by_depth else []), 'live', 'of BP', 'made', 'of BP', *PARTS,
              'params M', 'auxiliary M']
    cells = []
    for row in rows:
        peak, theirs = row.peaks[batch], reference_of(row, rows).peaks[batch]
        cells.append([
            row.name, *([str(row.depth)] if by_depth else []),
            f'{peak.total_mb:,.1f}', f'{peak.total_mb / theirs.total_mb:.3f}',
            f'{peak.made_mb:,.1f}', f'{peak.made_mb / theirs.made_mb:.3f}',
            *(f'{peak.parts_mb[part]:,.1f}' for part in PARTS),
            f'{row.params / 1e6:.2f}', f'{row.auxiliary_params / 1e6:.2f}'])
    return markdown_table(header, cells, right=range(1, len(header)))


def _least(rows: Sequence[Counted]) -> str:
    least, names = least_batches(rows), [row.name for row in rows]

    def cell(name: str, other: str) -> str:
        return '' if name == other else str(least[name, other] or '–')

    return markdown_table(['less than', *names], [
        [name, *(cell(name, other) for other in names)] for name in names],
        right=range(1, len(names) + 1))
