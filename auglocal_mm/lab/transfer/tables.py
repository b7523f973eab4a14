"""The tables of a comparison as rows of text, for Markdown and for the page alike."""
from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from auglocal_mm.lab.pages.figure import figure
from auglocal_mm.lab.pages.signed import MINUS, signed

from .average_precision import FIGURES
from .error_types import KINDS
from .truth import NAMES

#: Header and rows.
Table = tuple[list[str], list[list[str]]]
_DIGITS = 1


def figures_table(result: Mapping[str, Any], kind: str) -> Table:
    """Return AP by IoU and by size: a row for each backbone."""
    name = NAMES[kind]
    return ['', *(f'{name} {key}' for key in FIGURES)], [
        [row['name'], *(_shown(row['kinds'].get(kind, {}).get('figures', {}).get(key))
                        for key in FIGURES)] for row in result['rows']]


def differences_table(result: Mapping[str, Any]) -> Table:
    """Return AP less that of the first backbone, and whether the spread is smaller than that."""
    header = ['']
    for kind in result['kinds']:
        header += [f'{NAMES[kind]} AP', 'beyond the spread']
    rows = []
    for each in result['differences']:
        line = [f'{each["name"]} {MINUS} {each["from"]}']
        for kind in result['kinds']:
            line += _difference(each['AP'].get(NAMES[kind]))
        rows.append(line)
    return header, rows


def _difference(value: Mapping[str, Any] | None) -> list[str]:
    if value is None:
        return ['–', '–']
    if value['std'] is None:
        return [signed(value['mean'], _DIGITS), 'not known from one seed']
    return [f'{signed(value["mean"], _DIGITS)} ± {value["std"]:.{_DIGITS}f}',
            'yes' if abs(value['mean']) > value['std'] else 'no']


def classes_table(result: Mapping[str, Any], kind: str) -> Table:
    """Return AP by class: a row for each class, a column for each backbone."""
    header = ['class', 'objects', *(row['name'] for row in result['rows'])]
    return header, [
        [_cell(name), str(objects), *(_shown(row['kinds'].get(kind, {}).get('classes', {})
                                             .get(name, {}).get('AP')) for row in result['rows'])]
        for name, objects in result['classes'].items()]


def errors_table(result: Mapping[str, Any], kind: str) -> Table:
    """Return what each kind of error costs, and how often it occurs in a run."""
    header = ['error', *(row['name'] for row in result['rows'])]
    lines = []
    for name in KINDS:
        line = [name]
        for row in result['rows']:
            error = row['kinds'].get(kind, {}).get('errors', {}).get(name)
            line.append('–' if error is None else
                        f'{_shown(error["cost"])} ({error["count"]["mean"]:,.0f})')
        lines.append(line)
    return header, lines


def _shown(value: Mapping[str, Any] | None) -> str:
    return figure(value, _DIGITS)


def _cell(text: str) -> str:
    """Return a text that a Markdown table can hold."""
    return ' '.join(text.split()).replace('|', '/')
