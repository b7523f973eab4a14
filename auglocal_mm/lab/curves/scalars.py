"""The rows of a run's ``scalars.json``, which mmengine writes: one JSON object per line."""
from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

Row = dict[str, Any]


def scalars_of(work_dir: Path) -> list[Path]:
    """Find the files in a run's work directory, one per start, oldest first."""
    # The folders are named by the time of the start, so their names sort by age.
    return sorted(work_dir.glob('*/vis_data/scalars.json'))


def kind_of(row: Row) -> str:
    """Tell whether a row was written in training (``train``) or by a validation (``val``).

    A row that holds nothing but values of auxiliary networks is ``local``.
    """
    if 'loss' in row or 'lr' in row:
        return 'train'
    return 'local' if any(name.startswith('local/') for name in row) else 'val'


def parse_rows(text: str) -> Iterator[Row]:
    """Parse the text of a file; skip an incomplete last line, as in a running job.

    Raises:
        ValueError: Another line is not a JSON object.
    """
    lines = text.split('\n')
    for number, line in enumerate(lines, start=1):
        if not line.strip():
            continue
        try:
            yield dict(json.loads(line))
        except (TypeError, ValueError) as error:
            if number == len(lines):  # what follows the last line feed
                return
            raise ValueError(f'line {number} must be a JSON object, got {line[:60]!r}') from error


class NewRows:
    """The rows that are appended to a file, each returned once.

    A file can grow to many megabytes, so what has been read is not read again.

    Args:
        path: The file.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._offset = 0

    def read(self) -> list[Row]:
        """Return the rows since the last call; an incomplete last line waits for the next.

        A damaged line is left out, and a file that cannot be read has no new rows: a run
        must not end because the display of its progress does.
        """
        try:
            with self._path.open('rb') as file:
                file.seek(self._offset)
                read = file.read()
        except OSError:
            return []
        whole = read[:read.rfind(b'\n') + 1]
        self._offset += len(whole)
        rows = list[Row]()
        for line in whole.decode('utf-8', errors='replace').split('\n'):
            with suppress(ValueError):
                rows += parse_rows(f'{line}\n')
        return rows
