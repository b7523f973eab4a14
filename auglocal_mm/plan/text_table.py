"""Text tables, for rooms that import nothing."""
from __future__ import annotations

from collections.abc import Sequence


def table_lines(header: Sequence[str], rows: Sequence[Sequence[str]], *,
                right: Sequence[int] = ()) -> list[str]:
    """Return a text table's lines: header, rule, rows; columns in `right` are right-aligned."""
    widths = [max(len(row[column]) for row in (header, *rows)) for column in range(len(header))]
    lines = ['  '.join(cell.rjust(width) if column in right else cell.ljust(width)
                       for column, (cell, width) in enumerate(zip(row, widths, strict=True))
                       ).rstrip() for row in (header, *rows)]
    return [lines[0], '-' * max(map(len, lines)), *lines[1:]]
