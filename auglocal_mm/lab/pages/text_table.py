"""Tables as text: Markdown for files, plain columns for the console."""
from __future__ import annotations

from collections.abc import Collection, Sequence

from tabulate import SEPARATING_LINE, DataRow, Line, TableFormat, tabulate

#: Columns two spaces apart, and one rule below the header.
_PLAIN = TableFormat(lineabove=None, linebelowheader=Line('', '-', '--', ''),
                     linebetweenrows=None, linebelow=None, headerrow=DataRow('', '  ', ''),
                     datarow=DataRow('', '  ', ''), padding=0, with_header_hide=None)


def markdown_table(header: Sequence[str], rows: Sequence[Sequence[str]], *,
                   right: Collection[int] = ()) -> str:
    """Lay out a Markdown table; columns in `right` are right-aligned.

    A cell must not hold ``|`` or a line break.
    """
    rule = ' | '.join('---:' if column in right else '---' for column in range(len(header)))
    # No cell is padded: these tables are kept in documents, and one more digit would change
    # every line of them.
    line = DataRow('|', '|', '|')
    unpadded = TableFormat(
        lineabove=None, linebelowheader=lambda widths, aligns: f'| {rule} |',
        linebetweenrows=None, linebelow=None, headerrow=line, datarow=line, padding=1,
        with_header_hide=None)
    # Cells are texts already; tabulate would format them as numbers once more.
    return tabulate(rows, headers=header, disable_numparse=True, stralign=None, numalign=None,
                    tablefmt=unpadded)


def plain_table(rows: Sequence[Sequence[str]], *, header: Sequence[str] = (),
                right: Collection[int] = ()) -> str:
    """Lay out a table for a console; columns in `right` are right-aligned."""
    # As a row of its own: tabulate would make each column two characters wider than its header.
    lines = [header, SEPARATING_LINE, *rows] if header else rows
    text = tabulate(lines, disable_numparse=True, tablefmt=_PLAIN,
                    colalign=_sides(len(header or rows[0]), right))
    return '\n'.join(line.rstrip() for line in text.split('\n'))


def _sides(columns: int, right: Collection[int]) -> list[str]:
    return ['right' if column in right else 'left' for column in range(columns)]
